import { backUp, measureBackups } from './backup/backups.js';
import { fill, startAgain } from './backup/database.js';
import { type Ground, openGround, type Usage } from './backup/ground.js';
import { drivePgbackrest, installPeer } from './backup/pgbackrest.js';
import { measureRestores } from './backup/restores.js';
import { measureThrottled, type Throttled } from './backup/throttled.js';
import { measureSegments, measureThroughput } from './backup/wal.js';
import { atLeast, atMost, type BenchmarkReport, median, type Row } from './report.js';

const RUNS = 3;

export interface BackupBenchOptions {
  /** What the database has; a larger one shows what of a time does not grow with the data. */
  readonly gigabytes?: number;
}

/**
 * A database of more than 2 GB, or of as many as are asked for, on one host, to and from one gateway over TLS, by us and by Debian's pgBackRest set up by
 * hand: zstd level 3, two processors, nothing encrypted. Ours is the whole action as a workflow starts it, with its
 * connections, the tickets for a week of the log, the lease and the look at what is in the bucket; pgBackRest's is its
 * one command on the host. The third is pgBackRest driven by the whole action. The runner is a machine of its own, whose only interface is counted: what is more than for an
 * empty database came with the data.
 *
 * A restore is of the files: ours compares what comes with its SHA-256, and where no drill found the backup good before, has
 * PostgreSQL read all of them again; pgBackRest checks them as they come and has them written to disk. The log goes through the same three hands, the third being a copy in a local folder. All of it, the
 * gateway too, shares this machine's processors.
 */
export async function benchBackup({ gigabytes = 2 }: BackupBenchOptions): Promise<BenchmarkReport> {
  const ground = await openGround();
  try {
    return await measureAll(ground, gigabytes);
  } finally {
    await ground.close();
  }
}

async function measureAll(ground: Ground, gigabytes: number): Promise<BenchmarkReport> {
  const empty = await backUp(ground);
  await startAgain(ground);
  const bytes = await fill(ground, gigabytes);
  const peer = await installPeer(ground);
  say(`peer: pgBackRest ${peer.version}; a database of ${(bytes / 1e9).toFixed(2)} GB`);
  const backups = await measureBackups(ground, peer, await drivePgbackrest(ground), RUNS);
  say('backups measured');
  const restores = await measureRestores(ground, peer, RUNS);
  say('restores measured');
  const segments = await measureSegments(ground, peer);
  const { share, ...throughput } = await measureThroughput(ground, peer);
  const throttled = await measureThrottled(ground);
  const { ours } = backups;
  const of = (figure: keyof (typeof ours)[number]): number => median(ours.map((each) => each[figure]));
  const copies = ours.map(({ copySeconds }) => copySeconds);
  const peakMB = Math.max(...ours.map((each) => each.peakMB));
  return {
    rows: [
      ...rowsOf('backup', backups),
      { ...rowOf('backup: the copy alone', backups, 'seconds'), ours: of('copySeconds') },
      ...rowsOf('backup by pgBackRest, driven by us', { ...backups, ours: backups.driven }),
      { name: 'backup: the object', unit: 'MB', ours: of('size') / 1e6 },
      { name: 'backup: through the runner', unit: 'MB', ours: of('through') / 1e6 },
      { name: 'the same of an empty database', unit: 'MB', ours: empty.through / 1e6 },
      { name: 'backup: peak memory of the runner', unit: 'MB', ours: peakMB },
      ...rowsOf('restore of the files', restores),
      {
        ...rowOf('restore of files that no drill proved', restores, 'seconds'),
        ours: median(secondsOf(restores.unproven)),
      },
      { name: 'archiving of a segment', unit: 's', ...segments },
      { name: 'pgbench while the log is archived', unit: 'transactions/s', ...throughput },
      ...rowsOfThrottled(throttled, throughput.ours),
    ],
    goals: [
      atMost("backup, of pgBackRest's time", 0.75, shareOf(secondsOf(ours), backups.peer)),
      atMost("the copy alone, of pgBackRest's time", 0.75, shareOf(copies, backups.peer)),
      atMost(
        'pgBackRest driven by us, of its time by hand',
        2,
        shareOf(secondsOf(backups.driven), backups.peer),
      ),
      atMost(
        "restore of the files, of pgBackRest's time",
        1,
        shareOf(secondsOf(restores.ours), restores.peer),
      ),
      atMost('archiving of a segment, s', 0.1, segments.ours),
      atLeast('pgbench, of that with a local copy of the log', 0.97, share),
      atMost('peak memory of the runner, MB', 150, peakMB),
      atMost(
        'bytes through the runner for each byte of data',
        0.001,
        (of('through') - empty.through) / of('size'),
      ),
      atMost(
        'how far the rate of a backup is from that which was asked, of it',
        0.1,
        Math.abs(throttled.measured / throttled.asked - 1),
      ),
    ],
  };
}

interface Measured {
  readonly ours: readonly Usage[];
  readonly peer: readonly Usage[];
  readonly floor: readonly Usage[];
}

function rowOf(name: string, { ours, peer, floor }: Measured, figure: keyof Usage): Row {
  const of = (runs: readonly Usage[]): number => median(runs.map((run) => run[figure]));
  return { name, unit: 's', ours: of(ours), peer: of(peer), floor: of(floor) };
}

const rowsOf = (name: string, measured: Measured): Row[] => [
  rowOf(name, measured, 'seconds'),
  rowOf(`${name}: processors of the host`, measured, 'hostCpu'),
  rowOf(`${name}: processors of the gateway`, measured, 'gatewayCpu'),
];

/** @param without what pgbench does when there is no backup */
const rowsOfThrottled = ({ asked, measured, transactions }: Throttled, without: number): Row[] => [
  {
    name: 'backup with a limit: its rate, and the one that was asked',
    unit: 'MiB/s',
    ours: measured,
    peer: asked,
  },
  {
    name: 'pgbench meanwhile, and without a backup',
    unit: 'transactions/s',
    ours: transactions,
    peer: without,
  },
];

/** Of ours to the peer's time in the same run: the median. */
const shareOf = (ours: readonly number[], peer: readonly Usage[]): number =>
  median(ours.map((seconds, run) => seconds / (peer[run]?.seconds ?? Number.NaN)));

const secondsOf = (runs: readonly Usage[]): number[] => runs.map(({ seconds }) => seconds);

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
