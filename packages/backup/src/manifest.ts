import { z } from 'zod';

const lsn = z.string().regex(/^[0-9A-F]+\/[0-9A-F]+$/);
const hash = (digits: number) => z.string().regex(new RegExp(`^[0-9a-f]{${digits}}$`));

/** When a backup was begun, `20261127T020000Z`; sorts by time. */
export const BackupIdSchema = z.string().regex(/^\d{8}T\d{6}Z$/);

/** The object with a backup's data, as it was sent. */
export const DataObjectSchema = z.object({
  key: z.string(),
  size: z.number().int(),
  sha256: hash(64),
  etag: z.string(),
  /** The version that was written, where the bucket keeps versions: it counts, whatever is written later. */
  version: z.string().nullable().default(null),
  parts: z.array(z.object({ part: z.number().int(), size: z.number().int(), md5: hash(32) })),
  /** Public key that it is encrypted for; `null`: it is not. */
  recipient: z.string().nullable(),
});

/** Until when nobody can remove it; `null`: it is not locked. */
export const lockedUntil = z.iso.datetime().nullable().default(null);

/** Rows of a table as counted before and after the moment that a drill replays to. */
const RowsSchema = z.object({ least: z.number(), most: z.number() });

export const ManifestSchema = z.object({
  format: z.literal(1),
  id: BackupIdSchema,
  stack: z.string(),
  kind: z.enum(['full', 'incremental']),
  /** What an incremental one builds on. */
  parent: z.string().nullable(),
  source: z.object({ host: z.string(), role: z.enum(['primary', 'replica']), lagBytes: z.number() }),
  postgresql: z.object({
    systemId: z.string(),
    major: z.number().int(),
    version: z.string(),
    databaseBytes: z.number(),
  }),
  wal: z.object({
    timeline: z.number().int(),
    startLsn: lsn,
    stopLsn: lsn,
    segmentBytes: z.number().int(),
  }),
  /** A point after the backup whose state is known: a drill replays to it. */
  proof: z.object({ lsn, segment: z.string(), at: z.iso.datetime() }).nullable(),
  startedAt: z.iso.datetime(),
  finishedAt: z.iso.datetime(),
  object: DataObjectSchema,
  lockedUntil,
  /** By database, then by `schema.table`. */
  rows: z.record(z.string(), z.record(z.string(), RowsSchema)),
  run: z.string().nullable(),
});

/** What is known of one base backup; the last thing of it that is written, so that what has one is whole. */
export type Manifest = z.output<typeof ManifestSchema>;

/** @returns why a text is no manifest, or the manifest */
export const readManifest = (text: string): Manifest | Unreadable => readAs(ManifestSchema, text);

/** Why a text is no manifest. */
export interface Unreadable {
  readonly fault: string;
}

/** Reads a manifest of any kind. */
export function readAs<M>(schema: z.ZodType<M>, text: string): M | Unreadable {
  try {
    const parsed = schema.safeParse(JSON.parse(text));
    if (parsed.success) return parsed.data;
    const [issue] = parsed.error.issues;
    return { fault: `${issue?.path.join('.') || 'the whole'}: ${issue?.message ?? 'not valid'}` };
  } catch {
    return { fault: 'not JSON' };
  }
}

/** `20261127T020000Z`, of the second in which a backup is begun. */
export const backupId = (now: Date): string => `${now.toISOString().slice(0, 19).replace(/[-:]/g, '')}Z`;

/** The moment that an id names. */
export const timeOfId = (id: string): Date =>
  new Date(id.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z'));
