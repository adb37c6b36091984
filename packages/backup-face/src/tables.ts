import { type Alignment, markdownTable, type Section } from '@perlstack/action';
import type { RetentionPlan, Stored, StoredBackups, StoredFacts } from '@perlstack/backup';
import type { ProbeRow } from '@perlstack/object-storage';
import { formatDuration } from '@perlstack/stack';

const MIB = 1024 * 1024;
export const sizeOf = (bytes: number): string => `${(bytes / MIB).toFixed(1)} MiB`;

/** How long a backup took, in milliseconds. */
export const tookMs = (manifest: Pick<StoredFacts, 'startedAt' | 'finishedAt'>): number =>
  Date.parse(manifest.finishedAt) - Date.parse(manifest.startedAt);

/**
 * Figures of backups of any kind for a monitoring; `null` where there is nothing to measure.
 *
 * @param lastDrill when the last drill that proved a backup ended
 */
export function backupMetrics<M extends StoredFacts>(
  { backups }: Pick<StoredBackups<M>, 'backups'>,
  lastDrill: Date | null,
  now: Date,
): Record<string, number | null> {
  const last = backups.at(-1)?.manifest;
  return {
    lastBackupAgeSeconds: last ? (+now - Date.parse(last.finishedAt)) / 1_000 : null,
    lastBackupBytes: last?.object.size ?? null,
    backups: backups.length,
    bucketBytes: backups.reduce((sum, { bytes }) => sum + bytes, 0),
    lastDrillAgeSeconds: lastDrill ? (+now - +lastDrill) / 1_000 : null,
  };
}

/** As many as a picture has room for. */
const SHOWN = 30;

/** A column that only backups of one kind have. */
export interface Column<M extends StoredFacts> {
  readonly head: string;
  readonly align: Alignment;
  readonly cell: (manifest: M) => string;
}

/**
 * The newest backups as a table, and their course over time.
 *
 * @param before columns after the id
 * @param after columns at the end
 */
export function backupTables<M extends StoredFacts>(
  { backups, broken }: StoredBackups<M>,
  before: readonly Column<M>[],
  after: readonly Column<M>[],
): Section[] {
  const shown = backups.slice(-SHOWN);
  const table = newestOf(shown, before, after);
  return [
    { title: 'Backups', body: shown.length > 0 ? table : 'None yet.' },
    ...(shown.length > 1 ? [courseOf(shown)] : []),
    ...(broken.length > 0
      ? [
          {
            title: 'Not whole',
            body: markdownTable(
              ['Backup', 'Why'],
              broken.map(({ id, why }) => [id, why]),
              ['l', 'l'],
            ),
          },
        ]
      : []),
  ];
}

function newestOf<M extends StoredFacts>(
  shown: readonly Stored<M>[],
  before: readonly Column<M>[],
  after: readonly Column<M>[],
): string {
  const columns: { head: string; align: Alignment; cell: (backup: Stored<M>) => string }[] = [
    { head: 'Backup', align: 'l', cell: ({ manifest }) => manifest.id },
    ...before.map((column) => ofManifest(column)),
    { head: 'Size', align: 'r', cell: ({ bytes }) => sizeOf(bytes) },
    { head: 'Took', align: 'r', cell: ({ manifest }) => formatDuration(tookMs(manifest)) },
    {
      head: 'Encrypted',
      align: 'l',
      cell: ({ manifest }) => (manifest.object.recipient === null ? 'no' : 'yes'),
    },
    ...after.map((column) => ofManifest(column)),
  ];
  const rows = [...shown].reverse().map((backup) => columns.map(({ cell }) => cell(backup)));
  return markdownTable(
    columns.map(({ head }) => head),
    rows,
    columns.map(({ align }) => align),
  );
}

const ofManifest = <M extends StoredFacts>({ cell, ...column }: Column<M>) => ({
  ...column,
  cell: ({ manifest }: Stored<M>): string => cell(manifest),
});

function courseOf(shown: readonly Stored<StoredFacts>[]): Section {
  const days = shown.map(({ manifest }) => `"${manifest.id.slice(4, 8)}"`).join(', ');
  const sizes = shown.map(({ bytes }) => (bytes / MIB).toFixed(1)).join(', ');
  const seconds = shown.map(({ manifest }) => (tookMs(manifest) / 1_000).toFixed(1)).join(', ');
  const lines = [
    'xychart-beta',
    '  title "Size (bars, MiB) and duration (line, s)"',
    `  x-axis [${days}]`,
    `  bar [${sizes}]`,
    `  line [${seconds}]`,
  ];
  return { title: 'Course', body: lines.join('\n'), code: 'mermaid' };
}

/** What stays and why, and what goes; with a sentence before it that sums it up. */
export function retentionTable(
  backups: readonly Stored<StoredFacts>[],
  { verdicts }: Pick<RetentionPlan, 'verdicts'>,
  sum: string,
): Section {
  const bytes = new Map(backups.map((backup) => [backup.manifest.id, backup.bytes]));
  const rows = verdicts.map(({ id, reasons }) => [
    id,
    sizeOf(bytes.get(id) ?? 0),
    reasons.length > 0 ? `stays: ${reasons.join(', ')}` : 'goes',
  ]);
  const table = markdownTable(['Backup', 'Size', 'Verdict'], rows, ['l', 'r', 'l']);
  return { title: 'Retention', body: `${sum}\n\n${table}`, folded: true };
}

/** What was tried at the endpoint, and what came of it. */
export function probeTable(rows: readonly ProbeRow[]): string {
  const words = (holds: boolean | null): string =>
    holds === null ? 'not known' : holds ? 'holds' : 'does not hold';
  return markdownTable(
    ['Tried', 'As it should be', 'Seen', 'Verdict'],
    rows.map(({ feature, expected, seen, holds }) => [feature, expected, seen, words(holds)]),
    ['l', 'l', 'l', 'l'],
  );
}
