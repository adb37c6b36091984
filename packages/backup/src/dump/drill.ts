import { printPostgresql } from '@perlstack/configs';
import { type Assertion, checkServer, DRILL_PORT, drillPlace, scratchSettings } from '../drill.js';
import { assertReadable, makeRoom, type Place, removePlace, type RestoreRun } from '../restore.js';
import type { StoredDump } from './backup.js';
import { planDump } from './plan-restore.js';
import { databasesOn, type DumpTarget, restoreDump, roomForDump } from './restore.js';

export interface DumpDrillOptions {
  readonly host: string;
  /** Databases to restore; none: all. */
  readonly databases: readonly string[];
  readonly assertions: readonly Assertion[];
  readonly timeoutMs: number;
}

/** What a drill found. */
export interface DumpDrillReport {
  readonly backup: string;
  readonly host: string;
  readonly startedAt: string;
  /** In milliseconds: what it takes to have the data back, and to be sure of them. */
  readonly timings: { readonly restore: number; readonly checks: number };
  readonly databases: readonly string[];
  readonly tables: number;
  readonly assertions: number;
  readonly faults: readonly string[];
}

/**
 * An empty server of its own that no network reaches. Arguments: programs, data directory, scratch folder, seconds. Input:
 * lines of a configuration.
 */
const START_SCRIPT = `
set -eu
programs=$1 data=$2 scratch=$3 seconds=$4
as() { env --chdir=/ runuser -u postgres -- "$@"; }
umask 077
cat > "$scratch/postgresql.conf"
echo 'local all postgres peer' > "$scratch/pg_hba.conf"
: > "$scratch/pg_ident.conf"
chown postgres: "$scratch"/*
as "$programs/initdb" -D "$data" -U postgres --auth=peer --encoding=UTF8 --locale=C.UTF-8 --no-sync > "$scratch/initdb" 2>&1 || { tail -n 3 "$scratch/initdb" >&2; exit 1; }
as "$programs/pg_ctl" start -w -s -t "$seconds" -D "$data" -l "$scratch/log" -o "-c config_file=$scratch/postgresql.conf" || { tail -n 3 "$scratch/log" >&2; exit 1; }
`;

/**
 * Proves a dump: makes a server beside the running one, restores roles and databases into it, has PostgreSQL check every
 * index and table, compares the rows with those of the dump's own snapshot and asks the user's questions; then removes all
 * of it, whatever happened.
 */
export async function drillDump(
  run: RestoreRun,
  { manifest, ...stored }: StoredDump,
  { host, databases, assertions, timeoutMs }: DumpDrillOptions,
): Promise<DumpDrillReport> {
  assertReadable(run, { manifest, ...stored });
  const place = drillPlace(host, run.cluster.version);
  const startedAt = new Date();
  await removePlace(run, place);
  try {
    const target = await startEmpty(run, place, manifest.databases, timeoutMs);
    const there = await databasesOn(run, target);
    const { placements } = planDump({ host, dump: manifest, databases, there, replace: [] });
    const { faults } = await restoreDump(run, target, manifest, placements, {
      strict: false,
      // A server of its own.
      stillHeld: async () => undefined,
    });
    const restored = Date.now();
    run.say(`${host}: restored, being checked`);
    const checked = await checkServer(run, place, { rows: null, assertions });
    return {
      ...{ backup: manifest.id, host, startedAt: startedAt.toISOString() },
      timings: { restore: restored - +startedAt, checks: Date.now() - restored },
      databases: placements.map(({ database }) => database.name),
      ...{ tables: checked.tables, assertions: assertions.length, faults: [...faults, ...checked.faults] },
    };
  } finally {
    await removePlace(run, place);
  }
}

async function startEmpty(
  run: RestoreRun,
  place: Place,
  databases: readonly { readonly bytes: number }[],
  timeoutMs: number,
): Promise<DumpTarget> {
  const { programs } = run.cluster.layout;
  await makeRoom(run, place, place.data, roomForDump(databases));
  const seconds = String(Math.ceil(timeoutMs / 1_000));
  await run.remote.script(place.host, START_SCRIPT, [programs, place.data, place.scratch, seconds], {
    ...{ sudo: true, signal: run.signal, name: 'the scratch server', timeoutMs: timeoutMs + 60_000 },
    input: printPostgresql('Of a drill', [
      ...scratchSettings(place),
      // What is lost with the host is made again from the bucket.
      ['wal_level', 'minimal'],
      ['max_wal_senders', '0'],
      ['full_page_writes', 'off'],
    ]),
  });
  const server = { version: run.cluster.version, port: DRILL_PORT, socket: place.scratch };
  return { host: place.host, server, programs, socket: place.scratch };
}
