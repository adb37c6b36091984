export { isAlive } from './alive.js';
export {
  type FoundCloud,
  type HostCloud,
  type HostCloudOptions,
  type HostStatus,
  createHostCloud,
  findClouds,
  openHostCloud,
  removeCloud,
} from './cloud.js';
export { CommandError, type CommandOptions, type CommandResult, command } from './command.js';
export type { Faults } from './faults.js';
export { type Log, defaultCacheDir, ensureImage } from './image.js';
export { CLIENT_ADDRESS } from './links.js';
export { newCloudId } from './names.js';
export type { Direction } from './record.js';
export { HOST_PACKAGES, missingPackages, requireHosts, whyNoHosts } from './requirements.js';
export { cloudFolder, writePrivate } from './store.js';
