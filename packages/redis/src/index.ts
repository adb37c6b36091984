export { asRedis } from './as-redis.js';
export { linkState } from './link.js';
export { look, type LookOptions, type RedisCluster } from './look.js';
export { findPrimary, nameOf, type Seen } from './primary.js';
export { redisEngine } from './redis-engine.js';
export type { HostSeen as RedisSeen, HostSeen as SentinelSeen } from './seen.js';
export { ASK, LINK_SCRIPT, SEED_SCRIPT } from './scripts.js';
export { sentinelEngine } from './sentinel-engine.js';
export type { RedisStep, SentinelStep } from './step.js';
