export type { StorageSpec } from './client.js';
export { StorageError, type StorageFailure } from './errors.js';
export { compareParts, compositeEtag, type Part } from './integrity.js';
export { acquireLease, type Holder, type Lease, releaseLease } from './lease.js';
export { LONGEST_SIGNED_S, type Presigner, type Signed, type SignRequest } from './presign.js';
export {
  openStorage,
  type ObjectSeen,
  type PutOptions,
  type Storage,
  type Upload,
  type UploadSeen,
} from './storage.js';
