import { z } from 'zod';
import type { Backup, BackupFacts } from '../catalogue.js';
import { ManifestSchema } from '../manifest.js';
import type { DrillsSeen } from '../drill-notes.js';
import type { Broken } from '../stored.js';
import { timelineOf } from '../wal.js';

/** What we write beside a backup, under this name; pgBackRest keeps it with the rest that it knows of it. */
export const NOTE = 'perlstack';
/** When a drill last proved it. */
export const DRILLED = 'perlstack-drill';
/** When a drill of it last failed. */
export const DRILL_FAILED = 'perlstack-drill-failed';

const { proof, rows, run } = ManifestSchema.shape;
const NoteSchema = z.object({
  host: z.string(),
  version: z.string(),
  segmentBytes: z.number().int(),
  databaseBytes: z.number(),
  ...{ proof, rows, run },
});
export type Note = z.output<typeof NoteSchema>;

const span = z.object({ start: z.string(), stop: z.string() });
const BackupSchema = z.object({
  label: z.string(),
  type: z.enum(['full', 'diff', 'incr']),
  prior: z.string().nullable(),
  /** Whether pages were found whose checksums do not fit. */
  error: z.boolean().nullish(),
  archive: span.partial().nullish(),
  lsn: span.nullish(),
  timestamp: z.object({ start: z.number(), stop: z.number() }),
  info: z.object({ size: z.number(), repository: z.object({ delta: z.number() }) }),
  database: z.object({ id: z.number() }),
  annotation: z.record(z.string(), z.string()).nullish(),
});
type BackupInfo = z.output<typeof BackupSchema>;

const InfoSchema = z.tuple([
  z.object({
    archive: z.array(z.object({ id: z.string(), database: z.object({ id: z.number() }) })),
    backup: z.array(BackupSchema),
    cipher: z.string(),
    db: z.array(z.object({ id: z.number(), 'system-id': z.string(), version: z.string() })),
    repo: z.array(z.object({ status: z.object({ code: z.number(), message: z.string() }) })).default([]),
    status: z.object({ code: z.number(), message: z.string() }),
  }),
]);
type Info = z.output<typeof InfoSchema>[0];

/** What pgBackRest says of the stanza's repository. */
export interface RepositoryInfo {
  /** Whether there is a stanza to back up into. */
  readonly made: boolean;
  readonly systemId: string | null;
  /** Folder of the log of this cluster, `17-1`. */
  readonly archiveId: string | null;
  /** Oldest first, of this cluster. */
  readonly backups: readonly Backup<BackupFacts>[];
  /** Those with pages that are not sound. */
  readonly broken: readonly Broken[];
  readonly drills: DrillsSeen;
}

/** By pgBackRest's own numbers: nothing there, no backup yet, only a part of the stanza. */
const STATUS = { ok: 0, noStanza: 1, noBackup: 2, partOfStanza: 3 } as const;

const DEFAULT_SEGMENT_BYTES = 16 * 1024 * 1024;

/**
 * Reads what `pgbackrest info --output=json` prints of one stanza.
 *
 * @returns why the repository cannot be read, or what is in it
 * @throws Error when it is no such text
 */
export function readInfo(text: string): RepositoryInfo | { readonly fault: string } {
  // A system identifier is larger than the whole numbers that JSON's reader keeps; a text that could not be decrypted is
  // quoted as it is.
  const sound = text.replaceAll(/("system-id":)(\d+)/g, '$1"$2"').replaceAll(/[\u0000-\u001f]/g, ' ');
  const [info] = InfoSchema.parse(JSON.parse(sound));
  const { code, message } = info.status;
  if (code > STATUS.partOfStanza) return { fault: info.repo[0]?.status.message ?? message };
  const current = [...info.db].sort((one, other) => one.id - other.id).at(-1);
  const own = info.backup.filter(({ database }) => database.id === current?.id);
  const archive = info.archive.find(({ database }) => database.id === current?.id);
  return {
    made: code === STATUS.ok || code === STATUS.noBackup,
    systemId: current?.['system-id'] ?? null,
    archiveId: archive?.id ?? (current ? `${current.version}-${current.id}` : null),
    backups: own
      .filter(({ error, lsn }) => error !== true && lsn)
      .map((one) => backupOf(one, info))
      .sort(
        (one, other) =>
          one.manifest.finishedAt.localeCompare(other.manifest.finishedAt) ||
          one.manifest.id.localeCompare(other.manifest.id),
      ),
    broken: own.filter(({ error, lsn }) => error === true || !lsn).map(brokenOf),
    drills: drillsOf(own),
  };
}

function brokenOf({ label, error }: BackupInfo): Broken {
  const why =
    error === true
      ? 'pages were copied whose checksums do not fit: see the log of the run, and pg_amcheck'
      : 'it was made without the server: there is no position of the log in it';
  return { id: label, why, unfinished: false, objects: [] };
}

function backupOf(backup: BackupInfo, { cipher, db }: Info): Backup<BackupFacts> {
  const note = noteOf(backup);
  const { lsn, archive, timestamp } = backup;
  const server = db.find(({ id }) => id === backup.database.id);
  const [startedAt, finishedAt] = [timestamp.start, timestamp.stop].map((second) =>
    new Date(second * 1_000).toISOString(),
  );
  const bytes = backup.info.repository.delta;
  return {
    bytes,
    manifest: {
      ...{ id: backup.label, kind: backup.type === 'full' ? 'full' : 'incremental', parent: backup.prior },
      source: { host: note?.host ?? 'not known', role: 'primary', lagBytes: 0 },
      postgresql: {
        ...{ systemId: server?.['system-id'] ?? '', major: Math.trunc(Number(server?.version ?? 0)) },
        version: note?.version ?? server?.version ?? '',
        databaseBytes: Math.max(note?.databaseBytes ?? 0, backup.info.size),
      },
      wal: {
        timeline: timelineOf(archive?.start ?? '00000001'),
        ...{ startLsn: lsn?.start ?? '0/0', stopLsn: lsn?.stop ?? '0/0' },
        segmentBytes: note?.segmentBytes ?? DEFAULT_SEGMENT_BYTES,
      },
      ...{ proof: note?.proof ?? null, rows: note?.rows ?? {} },
      ...{ startedAt: startedAt ?? '', finishedAt: finishedAt ?? '' },
      object: { size: bytes, recipient: cipher === 'none' ? null : cipher },
    },
  };
}

/** `null` for a backup that somebody made by hand. */
function noteOf({ annotation }: BackupInfo): Note | null {
  try {
    return NoteSchema.safeParse(JSON.parse(annotation?.[NOTE] ?? 'null')).data ?? null;
  } catch {
    return null;
  }
}

function drillsOf(backups: readonly BackupInfo[]): DrillsSeen {
  const [good, failed] = [DRILLED, DRILL_FAILED].map((name) => {
    const times = backups
      .map(({ annotation }) => Date.parse(annotation?.[name] ?? ''))
      .filter((at) => at > 0);
    return times.length > 0 ? new Date(Math.max(...times)) : null;
  });
  return { good: good ?? null, failed: failed && (!good || failed > good) ? failed : null };
}
