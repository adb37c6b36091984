import { ARCHIVE } from '@perlstack/configs';
import { median } from '../report.js';
import { drained, setCommand, sql, waiting } from './archive-command.js';
import { DATABASE, type Ground, LAYOUT } from './ground.js';
import type { Peer } from './pgbackrest.js';

/** The same figure of three ways to keep the log: ours, pgBackRest's, and a copy in a local folder. */
export interface Three {
  readonly ours: number;
  readonly peer: number;
  readonly floor: number;
}

const WAYS = ['ours', 'peer', 'floor'] as const;
const FOLDER = '/var/lib/postgresql/archive';
const OURS = `${ARCHIVE.program} "%p" "%f"`;

/** The archive commands, with `%p` and `%f`. */
const commands = (peer: Peer): Record<keyof Three, string> => ({
  ours: OURS,
  peer: peer.archive,
  floor: `cp "%p" ${FOLDER}/"%f"`,
});

const SEGMENTS = 20;
const CLIENTS = 4;
const RUN_S = 20;
const RUNS = 3;

const bench = (seconds: number): string =>
  `cd / && runuser -u postgres -- ${LAYOUT.programs}/pgbench -n -c ${CLIENTS} -j 2 -T ${seconds} ${DATABASE}`;

/** Writes as fast as it can for a while. @returns transactions a second */
export const pgbench = async (ground: Ground): Promise<number> =>
  Number(/^tps = ([\d.]+)/m.exec(await ground.host(bench(RUN_S)))?.[1]);

/**
 * Hands over segments by hand that PostgreSQL wrote under load and that wait: each by all three ways, one after the
 * other. @returns seconds a segment, medians
 */
export async function measureSegments(ground: Ground, peer: Peer): Promise<Three> {
  await ground.host(`install -d -m 0700 -o postgres -g postgres ${FOLDER}`);
  await drained(ground);
  await setCommand(ground, '');
  for (let tries = 0; (await waiting(ground)) < SEGMENTS; tries += 1) {
    if (tries === 20) throw new Error('pgbench does not write enough of the log');
    await ground.host(bench(5));
  }
  const ways = commands(peer);
  const steps = WAYS.map(
    (way) => `${ways[way].replace('%p', 'pg_wal/$name').replace('%f', '$name')}; at+=($EPOCHREALTIME)`,
  );
  const output = await ground.host(`cd ${LAYOUT.data} && runuser -u postgres -- bash -euc '
for name in $(find pg_wal/archive_status -name "*.ready" -printf "%f\\n" | sort | head -n ${SEGMENTS}); do
name=\${name%.ready}
at=($EPOCHREALTIME)
${steps.join('\n')}
echo "\${at[@]}"
done'`);
  const seconds = output.split('\n').map((line) => {
    const times = line.split(' ').map(Number);
    return times.slice(1).map((time, at) => time - (times[at] ?? 0));
  });
  if (seconds.length !== SEGMENTS) throw new Error(`${seconds.length} segments were archived by hand`);
  await setCommand(ground, null);
  await drained(ground);
  const of = (at: number): number => median(seconds.map((each) => each[at] ?? Number.NaN));
  return { ours: of(0), peer: of(1), floor: of(2) };
}

export interface Throughput extends Three {
  /** Of ours to that with a local copy, run by run: the median. */
  readonly share: number;
}

/** Lets pgbench write as fast as it can while the log is archived. @returns transactions a second, medians */
export async function measureThroughput(ground: Ground, peer: Peer): Promise<Throughput> {
  const runs: Three[] = [];
  const ways = commands(peer);
  for (let run = 0; run < RUNS; run += 1) {
    const tps = { ours: 0, peer: 0, floor: 0 };
    // Whoever comes first has the emptiest caches.
    for (const way of [...WAYS.slice(run), ...WAYS.slice(0, run)]) {
      await drained(ground);
      await setCommand(ground, ways[way]);
      await sql(ground, 'CHECKPOINT');
      tps[way] = await pgbench(ground);
    }
    runs.push(tps);
  }
  await setCommand(ground, null);
  await drained(ground);
  const of = (way: keyof Three): number => median(runs.map((run) => run[way]));
  const share = median(runs.map(({ ours, floor }) => ours / floor));
  return { ours: of('ours'), peer: of('peer'), floor: of('floor'), share };
}
