import { until } from '@perlstack/procedure';
import {
  lastArchived,
  type Proof,
  readHistories,
  type Retained,
  retentionOf,
  type ServerSide,
} from '../backup.js';
import { type BackupFacts, checkLog, type Verified } from '../catalogue.js';
import { type Line, lineOf } from '../lineage.js';
import type { Source } from '../members.js';
import type { RetentionRules } from '../retention.js';
import { PROGRESS_MS } from '../send.js';
import { expireCommands, withoutNeeded } from './expire.js';
import { NOTE, type Note } from './info.js';
import { labelIn, percentOf } from './progress.js';
import type { Pgbackrest } from './command.js';
import { readMade, readRepository, type Repository } from './repository.js';
import type { Switch } from '../wal.js';
import { faultsIn } from './verify-output.js';

/** What a backup by pgBackRest takes: it runs on the primary. */
export interface PgbackrestRun extends ServerSide {
  readonly source: Source;
  readonly pgbackrest: Pgbackrest;
  /** How long the log may take to come to the bucket, in milliseconds. */
  readonly archiveTimeoutMs: number;
  /** The page of the run. */
  readonly run: string | null;
  readonly say: (line: string) => void;
}

export const lookAt = ({ remote, cluster, pgbackrest, signal }: PgbackrestRun): Promise<Repository> =>
  readRepository(remote, cluster, pgbackrest, signal);

const archiveTimeout = ({ archiveTimeoutMs }: PgbackrestRun): string =>
  `--archive-timeout=${Math.max(1, Math.ceil(archiveTimeoutMs / 1_000))}`;

/**
 * Makes the stanza where there is none, and has pgBackRest hand over a segment to see that it comes to the bucket.
 *
 * @throws UserError when it does not
 */
export async function prepareStanza(run: PgbackrestRun, { made }: Repository): Promise<void> {
  if (!made) {
    await run.pgbackrest.run(['stanza-create']);
    run.say(`${run.pgbackrest.host}: the stanza ${run.cluster.stack} was made`);
  }
  await run.pgbackrest.run(['check', archiveTimeout(run)]);
}

/** A full backup is made after so many; 1: every time. */
export function kindOf(backups: Repository['backups'], fullEvery: number): 'full' | 'incr' {
  const since = backups.length - backups.findLastIndex(({ manifest }) => manifest.kind === 'full');
  return backups.some(({ manifest }) => manifest.kind === 'full') && since < fullEvery ? 'incr' : 'full';
}

/** Copies the data. @returns the label of the backup */
export async function takeCopy(run: PgbackrestRun, kind: 'full' | 'incr'): Promise<string> {
  const { pgbackrest } = run;
  let label: string | null = null;
  const progress = everyNowAndThen((percent) =>
    run.say(`${pgbackrest.host}: ${percent} % of the data copied`),
  );
  await pgbackrest.run(['backup', `--type=${kind}`, archiveTimeout(run)], {
    yielding: true,
    onLine: (line) => {
      label = labelIn(line) ?? label;
      const page = /WARN: (.*)/.exec(line)?.[1];
      if (page !== undefined) run.say(`${pgbackrest.host}: ${page}`);
      progress(percentOf(line));
    },
  });
  if (label === null) throw new Error(`${pgbackrest.host}: pgbackrest did not say what the backup is called`);
  return label;
}

/** Tells how far something is, every ten seconds at the most. */
export function everyNowAndThen(tell: (percent: string) => void): (percent: number | null) => void {
  let told = Date.now();
  return (percent) => {
    if (percent === null || Date.now() - told < PROGRESS_MS) return;
    told = Date.now();
    tell(percent.toFixed(0));
  };
}

/** A note that is longer is no word of a command any more: then the rows are left out of it. */
const LONGEST_NOTE = 32_768;

/** Keeps with a backup what a drill is to find, and who made it. */
export async function noteBackup(run: PgbackrestRun, label: string, proof: Proof | null): Promise<void> {
  const { primary } = run.source;
  const note: Note = {
    ...{ host: primary.host, version: primary.version, run: run.run },
    ...{ segmentBytes: primary.segmentBytes, databaseBytes: primary.databaseBytes },
    ...{ proof: proof?.proof ?? null, rows: proof?.rows ?? {} },
  };
  const whole = JSON.stringify(note);
  if (whole.length > LONGEST_NOTE)
    run.say('The rows of so many tables are not noted: a drill will not compare them');
  const text = whole.length > LONGEST_NOTE ? JSON.stringify({ ...note, rows: {} }) : whole;
  await annotate(run.pgbackrest, label, NOTE, text);
}

export async function annotate(
  pgbackrest: Pgbackrest,
  label: string,
  key: string,
  text: string,
): Promise<void> {
  await pgbackrest.run(['annotate', `--set=${label}`, `--annotation=${key}=${text}`]);
}

/**
 * Waits until a segment is in the bucket itself.
 *
 * @returns false when it has not come in time
 */
export async function untilInArchive(run: PgbackrestRun, segment: string): Promise<boolean> {
  const { pgbackrest, cluster, archiveTimeoutMs, signal } = run;
  const { archiveId } = await readMade(pgbackrest);
  const folder = `archive/${cluster.stack}/${archiveId}/${segment.slice(0, 16)}`;
  const list = ['repo-ls', `--filter=^${segment}-`, folder];
  const isThere = async (): Promise<true | string> =>
    (await pgbackrest.run(list)).trim() !== '' || 'not there';
  return (await until(isThere, { limitMs: archiveTimeoutMs, signal })) === null;
}

/**
 * Looks whether the bucket has every segment that recovery within the window reads, and those that each backup needs for
 * itself: unlike the other engine's, a copy of pgBackRest has no log in it.
 */
export async function checkArchive(
  run: PgbackrestRun,
  { catalogue }: Repository,
  rules: RetentionRules,
  upTo = lastArchived(run.source.primary),
): Promise<Verified<BackupFacts>> {
  const histories = catalogue.backups.length > 0 ? await readHistories(run) : new Map<number, Switch[]>();
  return checkLog(catalogue, {
    ...{ rules, histories, line: lineOf(histories, run.source.primary.timeline), now: new Date(), upTo },
    startOf: ({ wal }) => wal.startLsn,
  });
}

/** It waits for the storage most of the time, file by file. */
const VERIFIERS = 4;

/** Has pgBackRest read all that is in the repository again. @returns what is not as it was stored, a sentence each */
export async function verifyRepository({ pgbackrest }: PgbackrestRun): Promise<string[]> {
  return faultsIn(
    await pgbackrest.run(['verify', '--output=text', '--verbose', `--process-max=${VERIFIERS}`], {
      yielding: true,
    }),
  );
}

/** What the rules let go. */
export function expiryOf(
  { catalogue }: Repository,
  rules: RetentionRules,
  now: Date,
  line: Line | null,
): Retained {
  return withoutNeeded(retentionOf(catalogue, rules, now, line), catalogue);
}

/** Removes it. */
export async function expire(run: PgbackrestRun, repository: Repository, { plan }: Retained): Promise<void> {
  const { backups, broken } = repository.catalogue;
  const labels = [...backups.map(({ manifest }) => manifest.id), ...broken.map(({ id }) => id)];
  for (const words of expireCommands(plan, labels)) await run.pgbackrest.run(words);
}
