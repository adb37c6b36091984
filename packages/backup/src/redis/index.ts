export { redisAssertionFrom, type RedisAssertion } from './assertions.js';
export {
  readRedisBackups,
  type RedisBackup,
  type RedisBackupRun,
  type RedisBackupWriter,
  type RedisBackups,
  redisKeys,
  redisRetentionOf,
  takeSnapshot,
  writeRedisManifest,
} from './backup.js';
export { drillRedis, type RedisDrillReport, removeRedisDrill } from './drill.js';
export { forgetGhosts } from './ghosts.js';
export { seeTier } from './host-seen.js';
export type { RedisManifest } from './manifest.js';
export { planTier } from './plan-primary.js';
export { restoreRedis } from './primary.js';
export { chooseSnapshot, type RedisRestoreRun } from './restore.js';
export { chooseRedisSource, type RedisSource } from './source.js';
export { type CacheTier, cacheTierOf } from './tier.js';
