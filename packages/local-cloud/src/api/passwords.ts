import type { Fields } from './fields.js';

const LEAST = 11;
const MOST = 128;

/** A machine made from an image must be one that somebody can log in to. */
export function checkAuthentication(body: Fields): readonly string[] {
  const password = body.string('root_pass');
  const keys = body.strings('authorized_keys') ?? [];
  const users = body.strings('authorized_users') ?? [];
  if (password === undefined && keys.length === 0 && users.length === 0) {
    body.fail('Must provide valid root_pass, authorized_keys, or authorized_users');
  }
  if (password !== undefined) checkPassword(body, password);
  keys.forEach((key, index) => {
    if (!isKey(key))
      body.fail(`SSH Key ${index + 1} key-type must be one of ${KEY_TYPES.join(', ')}.`, 'authorized_keys');
  });
  return keys;
}

function checkPassword(body: Fields, password: string): void {
  if (password.length < LEAST || password.length > MOST) {
    body.fail(`Length must be ${LEAST}-${MOST} characters`, 'root_pass');
  } else if (new Set(password).size < 5)
    body.fail('Password does not meet strength requirement', 'root_pass');
}

const KEY_TYPES = [
  'ssh-dss',
  'ssh-rsa',
  'ecdsa-sha2-nistp',
  'ssh-ed25519',
  'sk-ecdsa-sha2-nistp256',
  'sk-ssh-ed25519',
];

function isKey(key: string): boolean {
  return KEY_TYPES.some((type) => key.trim().startsWith(type));
}
