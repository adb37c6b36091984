import { Hash } from '@smithy/hash-node';
import { SignatureV4 } from '@smithy/signature-v4';
import { regionOf, type StorageSpec } from './client.js';

export interface SignRequest {
  readonly method: 'GET' | 'HEAD' | 'PUT';
  readonly key: string;
  readonly query?: Readonly<Record<string, string>>;
  /** Headers that whoever uses the URL must send, with these values. */
  readonly headers?: Readonly<Record<string, string>>;
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
  sign(request: SignRequest): Promise<Signed>;
}

/** Storages refuse URLs that are good for more than a week. */
export const LONGEST_SIGNED_S = 7 * 86_400;

/**
 * Signs requests of the S3 protocol in their query (AWS Signature Version 4).
 *
 * @param expiresInS from now on, up to LONGEST_SIGNED_S
 */
export function presignerOf(spec: StorageSpec, expiresInS: number, now = new Date()): Presigner {
  if (!(expiresInS > 0 && expiresInS <= LONGEST_SIGNED_S))
    throw new RangeError(`A URL can be good for 1 to ${LONGEST_SIGNED_S} seconds, not ${expiresInS}`);
  const signer = new SignatureV4({
    service: 's3',
    region: regionOf(spec),
    credentials: { accessKeyId: spec.accessKeyId, secretAccessKey: spec.secretAccessKey },
    sha256: Hash.bind(null, 'sha256'),
    uriEscapePath: false,
    applyChecksum: false,
  });
  const { protocol, hostname, port, host } = new URL(spec.endpoint);
  const place = { protocol, hostname, ...(port ? { port: Number(port) } : {}) };
  return {
    expiresAt: new Date(+now + expiresInS * 1_000),
    sign: async ({ method, key, query = {}, headers = {} }) => {
      const path = `/${spec.bucket}/${key.split('/').map(encode).join('/')}`;
      const signed = await signer.presign(
        // Nobody knows yet what will be sent.
        {
          ...{ ...place, method, path, query: { ...query } },
          headers: { host, 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD', ...headers },
        },
        {
          expiresIn: expiresInS,
          signingDate: now,
          // Headers beyond the host are what makes a URL good for one thing only, so all of them are signed.
          unhoistableHeaders: new Set(Object.keys(headers)),
          unsignableHeaders: new Set(),
        },
      );
      const { 'X-Amz-Signature': signature, ...rest } = signed.query as Record<string, string>;
      const common = `${queryOf(rest)}&X-Amz-Signature=`;
      return { url: `${protocol}//${host}${path}?${common}${signature}`, signature: signature ?? '', common };
    },
  };
}

const queryOf = (query: Readonly<Record<string, string>>): string =>
  Object.entries(query)
    .map(([name, value]) => `${encode(name)}=${encode(value)}`)
    .join('&');

/** As the signature wants it: all but letters, digits and `-._~`. */
const encode = (text: string): string =>
  encodeURIComponent(text).replaceAll(
    /[!'()*]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  );
