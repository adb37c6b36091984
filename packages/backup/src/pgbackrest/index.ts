export * from './backup.js';
export { type Pgbackrest, pgbackrestOn } from './command.js';
export { DRILL_FAILED, DRILLED } from './info.js';
export { readRepository, type Repository } from './repository.js';
export {
  assertNoGap,
  type ChosenInRepository,
  pgbackrestRestorer,
  readRepositoryHistories,
} from './restore.js';
export { endAbandonedUploads } from './uploads.js';
