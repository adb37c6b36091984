import { createHash } from 'node:crypto';
import { UserError } from '@perlstack/stack';
import ssh2 from 'ssh2';

/** A public key as one side of a connection shows it. */
export interface PublicKey {
  /** Such as `ssh-ed25519`. */
  readonly type: string;
  /** `SHA256:<base64 without padding>` of the raw key: what `ssh-keygen -l` prints. */
  readonly fingerprint: string;
}

export interface KeyPair {
  /** Private key in OpenSSH's format, ending with a newline. */
  readonly privateKey: string;
  /** `ssh-ed25519 AAAA… comment`, without a newline. */
  readonly publicKey: string;
}

/**
 * The fingerprint of a public key, given as a line (`ssh-ed25519 AAAA… comment`) or as the raw bytes of the protocol.
 *
 * @throws UserError when the line is no public key.
 */
export function fingerprint(key: string | Buffer): string {
  return describeKey(key).fingerprint;
}

/** Type and fingerprint of a public key. @throws UserError when it is none. */
export function describeKey(key: string | Buffer): PublicKey {
  const raw = typeof key === 'string' ? rawOfLine(key) : key;
  const type = typeOfRaw(raw);
  if (!type)
    throw new UserError('This is no SSH public key: expected a line such as "ssh-ed25519 AAAA… comment"');
  return {
    type,
    fingerprint: `SHA256:${createHash('sha256').update(raw).digest('base64').replace(/=+$/, '')}`,
  };
}

function rawOfLine(line: string): Buffer {
  return Buffer.from(line.trim().split(/\s+/)[1] ?? '', 'base64');
}

function typeOfRaw(raw: Buffer): string | undefined {
  const length = raw.length > 4 ? raw.readUInt32BE(0) : 0;
  const type = raw.subarray(4, 4 + length).toString('latin1');
  return length > 0 && 4 + length < raw.length && /^[\w@.-]+$/.test(type) ? type : undefined;
}

/** Length of a raw Ed25519 public key: 4 + "ssh-ed25519" + 4 + 32 bytes. */
const ED25519_RAW_LENGTH = 51;

/** A new Ed25519 key pair in OpenSSH's formats, for a host or for a user. */
export function generateKeyPair(comment = ''): KeyPair {
  for (;;) {
    const pair = ssh2.utils.generateKeyPairSync('ed25519', { comment });
    // ssh2 (1.17) strips leading zero bytes of the public half, so that 1 pair in 256 is one no program can read.
    if (rawOfLine(pair.public).length !== ED25519_RAW_LENGTH) continue;
    return { privateKey: `${pair.private.trim()}\n`, publicKey: pair.public.trim() };
  }
}

export interface Credentials {
  /** Private key in OpenSSH or PEM format. */
  readonly privateKey: string;
  readonly passphrase?: string;
}

/** A private key that ssh2 can use, and its public half for messages. */
export interface UsableKey extends Credentials {
  readonly publicKey: PublicKey;
  /** The public half as a line: `ssh-ed25519 AAAA…`. */
  readonly publicKeyLine: string;
}

/**
 * The public half of a private key, as a line for authorized_keys.
 *
 * @throws UserError saying what is wrong with the private key; the message holds nothing of it.
 */
export function publicKeyOf(credentials: Credentials): string {
  return readPrivateKey(credentials).publicKeyLine;
}

/**
 * Checks a private key before any connection is made.
 *
 * @throws UserError saying what is wrong with it; the message holds nothing of the key.
 */
export function readPrivateKey(credentials: Credentials): UsableKey {
  // Secrets that were pasted into a form often lost their last newline or gained carriage returns.
  const privateKey = `${credentials.privateKey.replaceAll('\r', '').trim()}\n`;
  const key = ssh2.utils.parseKey(privateKey, credentials.passphrase);
  if (key instanceof Error) throw new UserError(unreadable(privateKey, key));
  if (!key.isPrivateKey()) {
    throw new UserError(
      'The SSH key is a public key: give the private key that belongs to it (the file without .pub)',
    );
  }
  const passphrase = credentials.passphrase === undefined ? {} : { passphrase: credentials.passphrase };
  const raw = key.getPublicSSH();
  const publicKey = describeKey(raw);
  return {
    privateKey,
    ...passphrase,
    publicKey,
    publicKeyLine: `${publicKey.type} ${raw.toString('base64')}`,
  };
}

function unreadable(text: string, error: Error): string {
  if (text.trim() === '') return 'The SSH private key is empty: give the whole text of the key file';
  if (/no passphrase given/i.test(error.message)) {
    return 'The SSH private key is locked with a passphrase, and none came with it: give a key without one';
  }
  if (/bad passphrase/i.test(error.message)) return 'The passphrase does not fit the SSH private key';
  return (
    'The SSH private key cannot be read: give the whole text of the file that "ssh-keygen -t ed25519" makes, ' +
    'from its line BEGIN to its line END'
  );
}
