import { S3Client } from '@aws-sdk/client-s3';
import { NodeHttpHandler } from '@smithy/node-http-handler';

export interface StorageSpec {
  /** `https://us-ord-1.linodeobjects.com`, without the bucket. */
  readonly endpoint: string;
  /** Part of the signature; by default the first word of the endpoint's name. */
  readonly region?: string;
  readonly bucket: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly signal?: AbortSignal;
  /** How often a request is tried that failed by no fault of ours; default 4. */
  readonly tries?: number;
  /** How long an answer may take to come, in milliseconds; default 20,000. */
  readonly timeoutMs?: number;
}

/** Region that a signature names: RADOS Gateway takes any, as long as all parts of a signature agree. */
export function regionOf({ endpoint, region }: StorageSpec): string {
  if (region !== undefined) return region;
  const { hostname } = new URL(endpoint);
  return /^[\d.]+$|:/.test(hostname) ? 'us-east-1' : (hostname.split('.')[0] ?? 'us-east-1');
}

/**
 * The one place in which a client is made. With the SDK's defaults every upload of a stream fails at Linode (411), and
 * a presigned part would carry the checksum of an empty body.
 */
export function clientOf(spec: StorageSpec): S3Client {
  const { accessKeyId, secretAccessKey, timeoutMs = 20_000 } = spec;
  return new S3Client({
    endpoint: spec.endpoint,
    region: regionOf(spec),
    forcePathStyle: true,
    credentials: { accessKeyId, secretAccessKey },
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    maxAttempts: spec.tries ?? 4,
    requestHandler: new NodeHttpHandler({
      connectionTimeout: 5_000,
      requestTimeout: timeoutMs,
      throwOnRequestTimeout: true,
    }),
  });
}
