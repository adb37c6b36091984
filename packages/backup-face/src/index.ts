export {
  doDrill,
  type DrillTelling,
  type DrillWords,
  type KeepNote,
  keepNote,
  orNote,
  tellDrill,
} from './drill.js';
export { type BackupEngine, engineOf, namesIn } from './engine.js';
export { hostOfTier } from './host.js';
export { bucketOfSite, recipientOf, rulesOf } from './inputs.js';
export {
  afterRestoreLease,
  cleanUpBucket,
  type Keeping,
  type LeasePlaces,
  underLease,
  underRestoreLease,
} from './lease.js';
export { probe, type Probing, tryOut } from './probe.js';
export {
  clearBefore,
  planStandalone,
  retainStandalone,
  type Standalone,
  type StandaloneTelling,
  verifyStandalone,
} from './standalone.js';
export {
  backupMetrics,
  backupTables,
  type Column,
  probeTable,
  retentionTable,
  sizeOf,
  tookMs,
} from './tables.js';
export { tellHeld, tellLocked, tellTouched } from './tell.js';
