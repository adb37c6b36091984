export * from './backup.js';
export { type Pgbackrest, pgbackrestOn } from './command.js';
export { DRILLED } from './info.js';
export { readRepository, type Repository } from './repository.js';
export { assertNoGap, pgbackrestRestorer } from './restore.js';
