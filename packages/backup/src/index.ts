export * from './backup.js';
export * from './book.js';
export { type BucketInputs, openBucket } from './bucket.js';
export * from './catalogue.js';
export * from './cluster.js';
export * from './drill.js';
export * from './dump/index.js';
export {
  type DrillNote,
  type DrillsSeen,
  drillWorry,
  isProven,
  noteDrill,
  readDrills,
} from './drill-notes.js';
export * from './host-lease.js';
export { canBuildOn, chainOf, chooseParent, manifestsOn } from './incremental.js';
export * from './keys.js';
export * from './lineage.js';
export { backupId, type Manifest, timeOfId } from './manifest.js';
export * from './members.js';
export * from './pgbackrest/index.js';
export { abandonRestore, chooseCluster, type PrimaryOptions, restorePrimary } from './primary.js';
export * from './redis/index.js';
export * from './replica.js';
export * from './restore.js';
export * from './retention.js';
export * from './rows.js';
export * from './stored.js';
export { needsIdentity, readStoredHistories } from './stored-histories.js';
export * from './wal.js';
export * from './ways.js';
