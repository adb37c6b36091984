import type { StorageError } from '../errors.js';

/** What is tried at an endpoint, and what is seen where it does as it should. */
export const EXPECTED = {
  'wrong MD5 on PUT': '400',
  'wrong MD5 on a part': '400',
  'wrong MD5 on a presigned PUT': '400',
  'wrong SHA-256 on PUT': '400',
  'PUT of unknown length': '411',
  'If-None-Match on PUT': '1 of 4 writers at once wins',
  'If-None-Match on completion': '412',
  'If-Match with a bare ETag': '200, with an old one 412',
  'If-Match with a quoted ETag': '200, with an old one 412',
  'If-Match on DELETE': '412',
  'write-once URL': '200, again 412, without its header 403, as GET 403, as DELETE 403',
  'URL for one length': '200, with another length 403',
  'range of a GET': '206 with these bytes',
  'list of parts': 'size and MD5',
  'ETag of a multipart upload': 'MD5 of its MD5s',
  'completion, again': '200',
  'lifecycle rules': 'as written',
  'lifecycle rules by size': 'as written',
  versioning: 'on, or off',
  'overwritten object': 'its first version stays',
  'GET of a version': '200 with its bytes',
  'removal of a version': 'nothing left',
  'Object Lock': 'on',
  'locked version, GOVERNANCE': 'DELETE 403, in a batch refused',
  'locked version, COMPLIANCE': 'DELETE 403, in a batch refused',
  'lock of an upload': 'DELETE 403',
  'URL that locks': '200 and locked, with another date 403, without 403',
  removal: 'nothing left',
} as const satisfies Readonly<Record<string, string>>;

export type Feature = keyof typeof EXPECTED;

/** One thing that was tried at the endpoint; all of them are strings for a table. */
export interface ProbeRow {
  readonly feature: Feature;
  readonly expected: string;
  readonly seen: string;
  /** `null`: it could not be told, because the key may not ask or it was not tried. */
  readonly holds: boolean | null;
}

export function rowOf(
  feature: Feature,
  seen: string,
  holds: boolean | null = seen === EXPECTED[feature],
): ProbeRow {
  return { feature, expected: EXPECTED[feature], seen, holds };
}

/** What there is to say of features whose requests the endpoint refused altogether. */
export const refusedRows = (features: readonly Feature[], { kind, status }: StorageError): ProbeRow[] =>
  features.map((feature) =>
    kind === 'denied'
      ? rowOf(feature, 'not permitted', null)
      : rowOf(feature, `refused (${status ?? 0})`, false),
  );

/** Features of ours, each by what it needs of the endpoint. */
const NEEDED = {
  /** Damage on the way to the storage is noticed by the storage. */
  md5: ['wrong MD5 on PUT', 'wrong MD5 on a part', 'wrong MD5 on a presigned PUT'],
  /** Uploads in parts that are compared before and after they become an object. */
  multipart: ['wrong MD5 on a part', 'list of parts', 'ETag of a multipart upload', 'completion, again'],
  /** Presigned URLs by which an object is written once, and neither read nor removed. */
  'write-once': ['write-once URL', 'wrong MD5 on a presigned PUT', 'If-None-Match on PUT'],
  /** Versions that can be read one by one: what is overwritten is still there, and can be told from what came after. */
  versions: [
    'overwritten object',
    'GET of a version',
    'removal of a version',
    'wrong MD5 on a presigned PUT',
  ],
  /** Retention that keeps a version from being removed before its time, whoever writes it. */
  'lock-governance': ['Object Lock', 'locked version, GOVERNANCE', 'lock of an upload', 'URL that locks'],
  'lock-compliance': ['Object Lock', 'locked version, COMPLIANCE', 'lock of an upload', 'URL that locks'],
  /** A lease by conditional writes. */
  lease: ['If-None-Match on PUT', 'If-Match with a bare ETag'],
  /** Rules by which the storage itself forgets unfinished uploads below a prefix. */
  lifecycle: ['lifecycle rules'],
} as const satisfies Readonly<Record<string, readonly Feature[]>>;

export type Need = keyof typeof NEEDED;

export interface Missing {
  readonly need: Need;
  /** A sentence for each thing that does not hold, or of which it is not known that it does. */
  readonly because: readonly string[];
}

/** What must be tried to tell whether needs are met. */
export const featuresOf = (needs: readonly Need[]): ReadonlySet<Feature> =>
  new Set(needs.flatMap((need): readonly Feature[] => NEEDED[need]));

/** @returns those of the needs that can't be met at an endpoint that was probed; what was not seen to hold does not */
export function missingFor(rows: readonly ProbeRow[], needs: readonly Need[]): Missing[] {
  const seen = new Map(rows.map((row) => [row.feature, row]));
  const because = (feature: Feature): string[] => {
    const row = seen.get(feature);
    if (!row) return [`${feature}: not probed`];
    return row.holds ? [] : [`${feature}: ${row.seen} instead of ${row.expected}`];
  };
  return needs
    .map((need) => ({ need, because: NEEDED[need].flatMap(because) }))
    .filter((missing) => missing.because.length > 0);
}
