export type { StorageSpec } from './client.js';
export { StorageError, type StorageFailure } from './errors.js';
export { compareParts, compositeEtag, type Part } from './integrity.js';
export {
  acquireLease,
  type Holder,
  type Lease,
  leaseHeld,
  type LeaseOptions,
  releaseLease,
} from './lease.js';
export { abortAfter, getRules, putRules } from './lifecycle.js';
export { abortRule, type LifecycleRule, withAbortRule } from './lifecycle-rules.js';
export { LONGEST_SIGNED_S, type Presigner, type Signed, type SignRequest } from './presign.js';
export { type Feature, type Missing, missingFor, type Need, type ProbeRow } from './probe/needs.js';
export { readVersioning } from './probe/bucket.js';
export { probeStorage } from './probe/probe.js';
export {
  openStorage,
  type PutOptions,
  type SendOptions,
  type Storage,
  type Upload,
  type UploadSeen,
} from './storage.js';
export {
  allOf,
  keysIn,
  type KeySeen,
  type Lock,
  lockHeaders,
  type ObjectSeen,
  type Removable,
} from './versions.js';
