import { z } from 'zod';
import { BackupIdSchema, DataObjectSchema, lockedUntil, readAs, type Unreadable } from '../manifest.js';

export const RedisManifestSchema = z.object({
  format: z.literal(1),
  id: BackupIdSchema,
  stack: z.string(),
  source: z.object({ host: z.string(), role: z.enum(['primary', 'replica']), lagBytes: z.number() }),
  redis: z.object({
    version: z.string(),
    /** Of the stream of changes, with the place in it at which the snapshot was made. */
    replicationId: z.string(),
    offset: z.number().int(),
    /** What its data took in memory. */
    memoryBytes: z.number().int(),
    /** What the snapshot takes when it is not packed. */
    snapshotBytes: z.number().int(),
  }),
  /** In the snapshot, as counted in it; those that had expired by then are among them. */
  keys: z.number().int(),
  /** By number of the database, as Redis counted them just before and after the snapshot. */
  databases: z.record(z.string().regex(/^\d+$/), z.object({ least: z.number(), most: z.number() })),
  startedAt: z.iso.datetime(),
  finishedAt: z.iso.datetime(),
  object: DataObjectSchema,
  lockedUntil,
  run: z.string().nullable(),
});

/** What is known of one snapshot; the last thing of it that is written, so that what has one is whole. */
export type RedisManifest = z.output<typeof RedisManifestSchema>;

export const readRedisManifest = (text: string): RedisManifest | Unreadable =>
  readAs(RedisManifestSchema, text);
