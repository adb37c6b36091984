import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { UserError } from '@perlstack/stack';
import ssh2 from 'ssh2';
import { describeKey, fingerprint, generateKeyPair, readPrivateKey } from './keys.js';

// Made by ssh-keygen -t ed25519, which also gave the fingerprint.
const PUBLIC = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDGIF4mKkiGmWdtTKKBmMiwrB/jyxOSHP0MSdaW16jbn test';
const FINGERPRINT = 'SHA256:BJYmk1zpFDzxYYs2YwVyyG9eMirvIz+3O+4Ua5opWBg';

describe('fingerprint', () => {
  it('is the one that ssh-keygen prints', () => {
    expect(fingerprint(PUBLIC)).toBe(FINGERPRINT);
  });

  it('is the same for the raw bytes', () => {
    expect(fingerprint(Buffer.from(PUBLIC.split(' ')[1] ?? '', 'base64'))).toBe(FINGERPRINT);
  });

  it('names the type of the key', () => {
    expect(describeKey(`${PUBLIC}\n`).type).toBe('ssh-ed25519');
  });

  it.each(['', 'ssh-ed25519', 'ssh-ed25519 %%%', 'hello world', '-----BEGIN OPENSSH PRIVATE KEY-----'])(
    'refuses %j',
    (line) => {
      expect(() => fingerprint(line)).toThrow(UserError);
    },
  );
});

describe('generateKeyPair', () => {
  // Of 1500 pairs that ssh2 makes, six are broken: see the reason in keys.ts.
  it('makes pairs whose halves belong together, every time', () => {
    for (let i = 0; i < 1500; i++) {
      const { privateKey, publicKey } = generateKeyPair('host');
      const parsed = ssh2.utils.parseKey(privateKey);
      if (parsed instanceof Error) throw parsed;
      expect(parsed.getPublicSSH().toString('base64')).toBe(publicKey.split(' ')[1]);
    }
  });

  it('keeps the comment', () => {
    expect(generateKeyPair('root@web-1').publicKey).toMatch(/^ssh-ed25519 \S+ root@web-1$/);
  });
});

describe('readPrivateKey', () => {
  const pair = generateKeyPair();
  const locked = ssh2.utils.generateKeyPairSync('ed25519', {
    passphrase: 'secret',
    cipher: 'aes256-ctr',
    rounds: 4,
  });
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });

  it.each([
    ['as it is', pair.privateKey],
    ['without its last newline', pair.privateKey.trim()],
    ['with carriage returns', pair.privateKey.replaceAll('\n', '\r\n')],
    ['with blanks around', `\n  ${pair.privateKey}\n\n`],
    ['of type RSA in PEM format', rsa.privateKey.export({ type: 'pkcs1', format: 'pem' }) as string],
  ])('takes a key %s', (_, privateKey) => {
    expect(readPrivateKey({ privateKey }).publicKey.fingerprint).toMatch(/^SHA256:/);
  });

  it('takes a locked key with its passphrase', () => {
    expect(readPrivateKey({ privateKey: locked.private, passphrase: 'secret' }).passphrase).toBe('secret');
  });

  it.each([
    ['an empty one', '', undefined, 'is empty'],
    ['a public one', pair.publicKey, undefined, 'is a public key'],
    ['a file name', '~/.ssh/id_ed25519', undefined, 'cannot be read'],
    ['half of one', pair.privateKey.slice(0, 120), undefined, 'cannot be read'],
    ['a locked one', locked.private, undefined, 'locked with a passphrase'],
    ['a wrong passphrase', locked.private, 'wrong', 'does not fit'],
  ])('refuses %s, saying why', (_, privateKey, passphrase, message) => {
    const read = (): unknown => readPrivateKey({ privateKey, ...(passphrase ? { passphrase } : {}) });
    expect(read).toThrow(UserError);
    expect(read).toThrow(message);
  });
});
