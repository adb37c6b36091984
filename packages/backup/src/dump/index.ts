export {
  dumpKeys,
  dumpRetentionOf,
  type DumpRun,
  type DumpWriter,
  readDumps,
  type StoredDump,
  type StoredDumps,
  takeDump,
  writeDump,
} from './backup.js';
export { drillDump, type DumpDrillReport } from './drill.js';
export type { Dump, DumpManifest } from './manifest.js';
export { assertRestores, chooseDump, type DumpPlan, planDump } from './plan-restore.js';
export { assertRoom, databasesOn, dropTemporaries, type DumpTarget, restoreDump } from './restore.js';
export {
  chooseDatabases,
  type DumpServer,
  ownServer,
  remoteServer,
  seeServer,
  type ServerAddress,
  serverFrom,
  type ServerSeen,
} from './server.js';
