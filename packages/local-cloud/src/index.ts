export * from './api/index.js';
export { type CloudService, readService, startCloud, type StartOptions, stopCloud } from './daemon.js';
export type * from './driver.js';
export * from './github/index.js';
export * from './hosts/index.js';
export {
  OBJECT_STORAGE_ADDRESS,
  type ObjectStorage,
  type ObjectStorageOptions,
  type StorageKeys,
} from './object-storage/gateway.js';
export { type LocalCloud, type LocalCloudOptions, openLocalCloud } from './local-cloud.js';
export { startRelay } from './relay.js';
export { sshArgv } from './ssh.js';
export * from './workflow/index.js';
