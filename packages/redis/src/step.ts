import type { EngineStep } from '@perlstack/engine';

/** Makes the file that belongs to Redis. */
export interface RedisSeedStep extends EngineStep {
  readonly kind: 'redis-seed';
  /** Address of the primary to follow; `null` on the primary itself. */
  readonly primary: string | null;
  /** The cluster is yet to be made, so that there is nobody to ask whether it is still so. */
  readonly fresh: boolean;
}

/** Waits until a replica has all data and is fed what comes. */
export interface RedisFollowStep extends EngineStep {
  readonly kind: 'redis-follow';
}

/** Gives the primary's role to a replica, before the primary is restarted. */
export interface RedisHandoverStep extends EngineStep {
  readonly kind: 'redis-handover';
}

export type RedisStep = RedisSeedStep | RedisFollowStep | RedisHandoverStep;

/** Makes the file that belongs to a Sentinel. */
export interface SentinelSeedStep extends EngineStep {
  readonly kind: 'sentinel-seed';
  /** Address of the primary to watch. */
  readonly primary: string;
  readonly fresh: boolean;
}

/** Waits until the Sentinels could agree on a failover. */
export interface SentinelQuorumStep extends EngineStep {
  readonly kind: 'sentinel-quorum';
}

export type SentinelStep = SentinelSeedStep | SentinelQuorumStep;
