import type { EngineStep } from '@perlstack/engine';

/** Makes a new cluster, of which this host is the first primary. */
export interface InitStep extends EngineStep {
  readonly kind: 'postgresql-init';
}

/** Makes on the primary what the cluster is to have: roles, databases, extensions, a slot for each other member. */
export interface RolesStep extends EngineStep {
  readonly kind: 'postgresql-roles';
}

/** Makes a replica by a base backup of the primary. */
export interface CloneStep extends EngineStep {
  readonly kind: 'postgresql-clone';
  readonly from: string;
  /** What is there already: nothing, a copy that has nothing of its own, or one that may have. */
  readonly replaces: 'nothing' | 'behind' | 'diverged';
  /** Nothing of this plan starts the server afterwards: the step does, where it ran before. */
  readonly starts: boolean;
}

/** Waits until a replica streams and its primary sees it. */
export interface FollowStep extends EngineStep {
  readonly kind: 'postgresql-follow';
  readonly from: string;
}

/** Waits after a restart of the primary until its replicas have replayed what it has written so far. */
export interface SettleStep extends EngineStep {
  readonly kind: 'postgresql-settle';
  readonly replicas: readonly string[];
}

/** Restarts a server whose files were changed earlier. */
export interface RestartStep extends EngineStep {
  readonly kind: 'postgresql-restart';
}

export type PostgresStep = InitStep | RolesStep | CloneStep | FollowStep | SettleStep | RestartStep;
