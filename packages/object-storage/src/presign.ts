import { createHmac, hash } from 'node:crypto';
import { regionOf, type StorageSpec } from './client.js';

/** What is asked for, of whatever object. */
export interface SignForm {
  readonly method: 'GET' | 'HEAD' | 'PUT';
  readonly query?: Readonly<Record<string, string>>;
  /** Headers that whoever uses the URL must send, with these values. */
  readonly headers?: Readonly<Record<string, string>>;
}

export interface SignRequest extends SignForm {
  readonly key: string;
}

/**
 * A URL that lets its bearer do one thing with one object for a while: a secret. Those of one presigner that ask for the
 * same headers and query differ by their path and by their signature alone.
 */
export interface Signed {
  readonly url: string;
  readonly signature: string;
  /** All of the query but the value of the signature, which is to be appended: `X-Amz-…&X-Amz-Signature=`. */
  readonly common: string;
}

export interface Presigner {
  readonly expiresAt: Date;
  sign(request: SignRequest): Signed;
  /** For many objects that the same is asked of. */
  signer(form: SignForm): (key: string) => Signed;
}

/** Storages refuse URLs that are good for more than a week. */
export const LONGEST_SIGNED_S = 7 * 86_400;

/**
 * Signs requests of the S3 protocol in their query, by AWS's Signature Version 4:
 * https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
 *
 * @param expiresInS from now on, up to LONGEST_SIGNED_S
 */
export function presignerOf(spec: StorageSpec, expiresInS: number, now = new Date()): Presigner {
  if (!(expiresInS > 0 && expiresInS <= LONGEST_SIGNED_S))
    throw new RangeError(`A URL can be good for 1 to ${LONGEST_SIGNED_S} seconds, not ${expiresInS}`);
  const { origin, host } = new URL(spec.endpoint);
  const time = now.toISOString().replaceAll(/[-:]|\.\d+/g, '');
  const words = [time.slice(0, 8), regionOf(spec), 's3', 'aws4_request'];
  const scope = words.join('/');
  const secret = words.reduce<Buffer | string>(
    (key, word) => createHmac('sha256', key).update(word).digest(),
    `AWS4${spec.secretAccessKey}`,
  ) as Buffer;
  const hmac = hmacOf(secret);
  // Headers beyond the host are what makes a URL good for one thing only, so all of them are signed.
  const signer = ({ method, query = {}, headers = {} }: SignForm): ((key: string) => Signed) => {
    const sent = Object.entries({ host, ...headers }).sort(([one], [other]) => (one < other ? -1 : 1));
    const signed = sent.map(([name]) => name).join(';');
    const asked = queryOf({
      ...query,
      'X-Amz-Algorithm': ALGORITHM,
      'X-Amz-Credential': `${spec.accessKeyId}/${scope}`,
      'X-Amz-Date': time,
      'X-Amz-Expires': String(expiresInS),
      'X-Amz-SignedHeaders': signed,
    });
    const lines = sent.map(([name, value]) => `${name}:${value.trim()}\n`).join('');
    // Nobody knows yet what will be sent.
    const rest = [asked, lines, signed, 'UNSIGNED-PAYLOAD'].join('\n');
    const common = `${asked}&X-Amz-Signature=`;
    return (key) => {
      const path = `/${spec.bucket}/${PLAIN.test(key) ? key : key.split('/').map(encode).join('/')}`;
      const digest = hash('sha256', `${method}\n${path}\n${rest}`);
      const text = `${ALGORITHM}\n${time}\n${scope}\n${digest}`;
      const signature = hmac(text);
      return { url: `${origin}${path}?${common}${signature}`, signature, common };
    };
  };
  return {
    expiresAt: new Date(+now + expiresInS * 1_000),
    signer,
    sign: ({ key, ...form }) => signer(form)(key),
  };
}

const ALGORITHM = 'AWS4-HMAC-SHA256';

/**
 * HMAC with SHA-256 (RFC 2104) of many texts by one key. Node's own makes an object a text, which is freed late: those of a
 * week's tickets would be half of the memory that a backup takes on the runner.
 *
 * @param key up to 64 bytes
 * @returns what gives the digest of a text, in hexadecimal
 */
function hmacOf(key: Buffer): (text: string) => string {
  const padded = (pad: number, room: number): Buffer =>
    Buffer.concat([
      Buffer.concat([key, Buffer.alloc(BLOCK - key.length)]).map((byte) => byte ^ pad),
      Buffer.alloc(room),
    ]);
  const outer = padded(0x5c, 32);
  let inner = padded(0x36, 256);
  return (text) => {
    const end = BLOCK + Buffer.byteLength(text);
    if (end > inner.length) inner = padded(0x36, end);
    inner.write(text, BLOCK);
    outer.write(hash('sha256', inner.subarray(0, end)), BLOCK, 'hex');
    return hash('sha256', outer);
  };
}

/** Of SHA-256, in bytes. */
const BLOCK = 64;

/** Of a key in which nothing is to be encoded. */
const PLAIN = /^[\w.~/-]*$/;

const queryOf = (query: Readonly<Record<string, string>>): string =>
  Object.entries(query)
    .map(([name, value]) => `${encode(name)}=${encode(value)}`)
    .sort()
    .join('&');

/** As the signature wants it: all but letters, digits and `-._~`. */
const encode = (text: string): string =>
  encodeURIComponent(text).replaceAll(
    /[!'()*]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  );
