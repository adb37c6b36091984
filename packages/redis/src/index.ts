export { redisEngine } from './redis-engine.js';
export type { HostSeen as RedisSeen, HostSeen as SentinelSeen } from './seen.js';
export { sentinelEngine } from './sentinel-engine.js';
export type { RedisStep, SentinelStep } from './step.js';
