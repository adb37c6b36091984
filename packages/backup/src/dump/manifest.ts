import { z } from 'zod';
import { BackupIdSchema, DataObjectSchema, lockedUntil, readAs, type Unreadable } from '../manifest.js';

/** Where a dump is of; retention and restores never take one server's for another's. */
const SourceSchema = z.object({
  /** `HOST:PORT` of a server that is no host of the stack; `null`: the stack's own. */
  server: z.string().nullable(),
  /** The host that ran pg_dump. */
  host: z.string(),
  role: z.enum(['primary', 'replica', 'remote']),
  lagBytes: z.number(),
});

const DumpedDatabaseSchema = z.object({
  name: z.string(),
  /** From 1 on; in the object of the roles, what belongs to a database goes by it. */
  number: z.number().int(),
  /** What it took on the server's disk. */
  bytes: z.number(),
  /** By `schema.table`, counted in the snapshot that the dump is of. */
  rows: z.record(z.string(), z.number()),
  object: DataObjectSchema,
});

export const DumpSchema = z.object({
  format: z.literal(1),
  id: BackupIdSchema,
  stack: z.string(),
  source: SourceSchema,
  /** Versions of the server, and of the pg_dump that read it. */
  postgresql: z.object({ major: z.number().int(), version: z.string(), program: z.number().int() }),
  /** The databases that were asked for; `null`: all of them. */
  selected: z.array(z.string()).nullable(),
  databases: z.array(DumpedDatabaseSchema).min(1),
  /** Roles, and settings and rights of the databases. */
  globals: z.object({ passwords: z.boolean(), object: DataObjectSchema }),
  startedAt: z.iso.datetime(),
  finishedAt: z.iso.datetime(),
  lockedUntil,
  run: z.string().nullable(),
});

const DumpManifestSchema = DumpSchema.transform((dump) => {
  const objects = [...dump.databases.map(({ object }) => object), dump.globals.object];
  const size = objects.reduce((sum, one) => sum + one.size, 0);
  return { ...dump, objects, object: { size, recipient: dump.globals.object.recipient } };
});

/** What is written of a dump, as the last thing of it. */
export type Dump = z.output<typeof DumpSchema>;
export type DumpedDatabase = Dump['databases'][number];

/** The same as it is read: with all its objects, and what they are together. */
export type DumpManifest = z.output<typeof DumpManifestSchema>;

export const readDumpManifest = (text: string): DumpManifest | Unreadable => readAs(DumpManifestSchema, text);
