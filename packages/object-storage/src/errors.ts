import { messageOf, UserError } from '@perlstack/stack';

export type StorageFailure =
  'missing' | 'exists' | 'denied' | 'no-bucket' | 'bad-digest' | 'refused' | 'unreachable' | 'busy';

/** A request that the storage did not carry out, in one line: what, where, why, what to do. It holds no key and no URL. */
export class StorageError extends UserError {
  readonly kind: StorageFailure;
  /** Of HTTP, where there was an answer. */
  readonly status: number | undefined;

  constructor(kind: StorageFailure, message: string, status?: number) {
    super(message);
    this.kind = kind;
    this.status = status;
  }
}

/** How messages name a bucket: by host, because an endpoint's URL could hold a password. */
export const placeOf = ({
  endpoint,
  bucket,
}: {
  readonly endpoint: string;
  readonly bucket: string;
}): string => `Object storage ${new URL(endpoint).host}, bucket ${bucket}`;

interface Answered {
  readonly name?: string;
  readonly $metadata?: { readonly httpStatusCode?: number };
}

const ADVICE: Readonly<Record<StorageFailure, string>> = {
  missing: 'there is no such object',
  exists: 'somebody else has written it meanwhile',
  denied: 'check the access key, and that it may read and write this bucket',
  'no-bucket': 'create the bucket first, or correct its name, region or endpoint',
  'bad-digest': 'the content was damaged on its way; run it again',
  refused: 'the endpoint does not do this',
  unreachable: 'check the endpoint and the network',
  busy: 'it kept asking for a slower pace, or failing by itself; run it again later',
};

/** Where the code says more than its kind. */
const ADVICE_BY_CODE: Readonly<Record<string, string>> = {
  InvalidAccessKeyId: 'the storage knows no such access key',
  SignatureDoesNotMatch: 'check the secret key, and the region',
  RequestTimeTooSkewed: 'the clock of this machine is wrong; set it',
  QuotaExceeded: 'the quota of the bucket or of its owner is used up; remove something, or raise it',
};

/**
 * An SDK's error as one of ours. The SDK's own is left out: it can carry headers and URLs that let others in.
 *
 * @param what `PUT shop/lease.json`
 */
export function storageError(error: unknown, what: string, place: string): unknown {
  if (error instanceof StorageError || (error instanceof Error && error.name === 'AbortError')) return error;
  const { name: said = '', $metadata } = error as Answered;
  // It is what the endpoint answered, whoever that was.
  const name = /^\w{1,60}$/.test(said) ? said : '';
  const status = $metadata?.httpStatusCode;
  const kind = kindOf(name, status);
  const code = [status, name && name !== 'Error' ? name : undefined].filter(Boolean).join(' ');
  const detail = kind === 'unreachable' ? networkReason(error) : code;
  return new StorageError(
    kind,
    `${place}: ${what} failed (${detail}): ${ADVICE_BY_CODE[name] ?? ADVICE[kind]}`,
    status,
  );
}

/** Instead of 412, when two writers with a condition met. */
const LOST_RACES: ReadonlySet<string> = new Set(['ConditionalRequestConflict', 'ConcurrentModification']);

function kindOf(name: string, status: number | undefined): StorageFailure {
  if (name === 'NoSuchBucket') return 'no-bucket';
  if (status === undefined) return 'unreachable';
  if (status === 404) return 'missing';
  if (status === 412 || LOST_RACES.has(name)) return 'exists';
  if (status === 401 || status === 403) return 'denied';
  if (name === 'BadDigest') return 'bad-digest';
  if (name === 'OperationAborted') return 'busy';
  if (status !== 501 && (status >= 500 || status === 429)) return 'busy';
  return 'refused';
}

/** Node's code where there is one, in a field or in what was wrapped around it. */
function networkReason(error: unknown): string {
  const { code, cause } = error as { code?: unknown; cause?: { code?: unknown } };
  const message = messageOf(error);
  const known = [code, cause?.code, /\bE[A-Z]{4,}\b/.exec(message)?.[0]].find(
    (one): one is string => typeof one === 'string',
  );
  if (known === 'ETIMEDOUT' || /timed? ?out/i.test(message)) return 'no answer in time';
  return known ?? 'the connection broke off';
}
