export { connect } from './connect.js';
export { ConnectError, type ConnectFailure, RemoteError, type RemoteFailure } from './errors.js';
export {
  type Credentials,
  describeKey,
  fingerprint,
  generateKeyPair,
  type KeyPair,
  type PublicKey,
  publicKeyOf,
} from './keys.js';
export { LOCK_FILE, type LockFound, lockFound } from './lock-file.js';
export { commandLine, quote } from './quote.js';
export type { Counters, Remote, RemoteOptions, RunOptions, RunResult, UploadTarget } from './remote.js';
