import { BackupSite, STACK } from '../backup-site.js';
import { drillProves, measureOutage, type Outage } from './outage/trial.js';
import { atLeast, atMost, type BenchmarkReport, type Row } from './report.js';

export interface OutageBenchOptions {
  /** How long the gateway is away in the first of the two outages. */
  readonly minutes?: number;
}

const MINUTES = 3;
const MIB = 2 ** 20;

/**
 * The gateway is away while users write, twice: first within the limit of what may wait of the log, which is a quarter of the
 * disk, and then beyond one that is set so low that the log passes it. The machines are those of the tests: a primary, a
 * replica and a RADOS Gateway, whose network is cut.
 */
export async function benchOutage({ minutes = MINUTES }: OutageBenchOptions = {}): Promise<BenchmarkReport> {
  const site = await BackupSite.open(STACK);
  try {
    const first = await backUp(site);
    const within = await measureOutage(site, { minutes, segmentsAMinute: 4 });
    say('within the limit', within);
    const proven = await drillProves(site, first, within);
    await backUp(site);
    const beyond = await measureOutage(site, {
      ...{ minutes: MINUTES, segmentsAMinute: 24 },
      limitBytes: 768 * MIB,
    });
    say('beyond the limit', beyond);
    return reportOf({ within, beyond, proven, healed: await heals(site), minutes });
  } finally {
    await site.close();
  }
}

async function backUp(site: BackupSite): Promise<string> {
  const { code, output, outputs } = await site.backup();
  if (code !== 0) throw new Error(`the backup failed: ${output.slice(-2_000)}`);
  return outputs['backup'] ?? '';
}

/** Whether the next backup is one that a drill proves, with a log after it that has no gap. */
async function heals(site: BackupSite): Promise<boolean> {
  const { code, output, outputs } = await site.backup();
  const { backup = '' } = outputs;
  if (code !== 0 || !output.includes(`from ${backup} on it has none`)) return false;
  return (await site.restore({ backup })).output.includes(`Backup ${backup} is proven`);
}

interface Measured {
  readonly within: Outage;
  readonly beyond: Outage;
  readonly proven: boolean;
  readonly healed: boolean;
  readonly minutes: number;
}

function reportOf({ within, beyond, proven, healed, minutes }: Measured): BenchmarkReport {
  const named = beyond.dropped.length > 0 && beyond.gap?.startsWith(beyond.dropped[0] ?? '') === true;
  return {
    rows: [...rowsOf(`${minutes} min away`, within), ...rowsOf('beyond the limit', beyond)],
    goals: [
      atMost('failed writes', 0, within.written.failed + beyond.written.failed),
      atMost(
        'within the limit: bytes that wait, of the limit',
        1,
        within.most.waitingBytes / within.limitBytes,
      ),
      atMost(
        'within the limit: segments missing in the bucket',
        0,
        within.gap === null ? within.dropped.length : Number.NaN,
      ),
      atLeast('within the limit: a drill into the outage proves', 1, Number(proven)),
      atLeast('beyond the limit: a run warns of the log that waits', 1, Number(beyond.alarm.warned !== null)),
      atLeast('beyond the limit: verify names the first segment that is lost', 1, Number(named)),
      atLeast(
        'beyond the limit: from the next backup on there is no gap, and a drill proves it',
        1,
        Number(healed),
      ),
    ],
  };
}

const rowsOf = (name: string, { most, limitBytes, alarm, written, drainSeconds, dropped }: Outage): Row[] => [
  { name: `${name}: segments that waited at most`, unit: 'segments', ours: most.waiting },
  { name: `${name}: their size`, unit: 'MiB', ours: most.waitingBytes / MIB },
  { name: `${name}: the limit of it`, unit: 'MiB', ours: limitBytes / MIB },
  { name: `${name}: pg_wal at most`, unit: 'MiB', ours: most.bytes / MIB },
  ...rowOfAlarm(`${name}: the first run that failed, begun after`, alarm.failed),
  ...rowOfAlarm(`${name}: the first run that warned of the log that waits, begun after`, alarm.warned),
  { name: `${name}: transactions of users`, unit: 'transactions', ours: written.transactions },
  { name: `${name}: the longest of them`, unit: 's', ours: written.longest },
  { name: `${name}: drained after the return`, unit: 's', ours: drainSeconds },
  { name: `${name}: let go`, unit: 'segments', ours: dropped.length },
];

/** None of what an outage was too short for. */
const rowOfAlarm = (name: string, ours: number | null): Row[] =>
  ours === null ? [] : [{ name, unit: 's', ours }];

function say(what: string, { most, drainSeconds }: Outage): void {
  process.stdout.write(
    `${what}: ${most.waiting} segments waited, drained in ${Math.round(drainSeconds)} s\n`,
  );
}
