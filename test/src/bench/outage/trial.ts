import { setTimeout as sleep } from 'node:timers/promises';
import { ARCHIVE } from '@perlstack/configs';
import { command } from '@perlstack/local-cloud';
import { errorsIn } from '../../action-step.js';
import { type BackupSite, PRIMARY } from '../../backup-site.js';
import { type Alarm, watchAlarms } from './alarm.js';
import { drained, limitOf, type Most, seeLog, watchLog } from './watch.js';
import { startWriter, type Written } from './writer.js';

export interface OutageOptions {
  readonly minutes: number;
  readonly segmentsAMinute: number;
  /** How much of the log may wait; left out: what the backup made of the disk. */
  readonly limitBytes?: number;
}

/** What came of an outage. */
export interface Outage {
  readonly most: Most;
  readonly limitBytes: number;
  readonly alarm: Alarm;
  readonly written: Written;
  readonly drainSeconds: number;
  /** Segments that were let go. */
  readonly dropped: readonly string[];
  /** What `verify` names as missing, in its words; `null`: nothing. */
  readonly gap: string | null;
  /** Between two marks in the middle of the outage. */
  readonly moment: string;
}

/** How long users write before the outage, and after it. */
const AROUND_S = 20;

/** Takes the gateway off the network while users write, and brings it back. */
export async function measureOutage(
  site: BackupSite,
  { minutes, segmentsAMinute, limitBytes }: OutageOptions,
): Promise<Outage> {
  if (limitBytes !== undefined)
    await site.hosts.ask(PRIMARY, `sed -i 's/^limit .*/limit ${limitBytes}/' ${ARCHIVE.book}`);
  const limit = await limitOf(site);
  const written = await startWriter(site, { segmentsAMinute, seconds: minutes * 60 + 2 * AROUND_S });
  const most = watchLog(site);
  await sleep(AROUND_S * 1_000);
  await cut(site);
  const alarm = watchAlarms(site);
  const end = sleep(minutes * 60_000);
  await sleep((minutes * 60_000) / 2);
  const moment = await mark(site);
  await end;
  await mend(site);
  const drainSeconds = await drained(site, (await seeLog(site)).current);
  return {
    ...{ drainSeconds, limitBytes: limit, moment },
    alarm: await alarm(),
    written: await written(),
    most: await most(),
    dropped: (await site.hosts.ask(PRIMARY, `cat ${ARCHIVE.folder}/dropped 2> /dev/null || :`))
      .split('\n')
      .filter(Boolean),
    gap: await gapOf(site),
  };
}

/** As a machine that lost its network: nobody gets an answer. */
async function cut({ hosts, storage }: BackupSite): Promise<void> {
  const { port } = new URL(storage.endpoint);
  const rules = `table inet outage {
  chain input { type filter hook input priority 0; tcp dport ${port} drop; }
}
`;
  await command(hosts.cloud.inInternet(['nft', '--file', '-']), { input: rules });
}

const mend = ({ hosts }: BackupSite): Promise<unknown> =>
  command(hosts.cloud.inInternet(['nft', 'delete', 'table', 'inet', 'outage']));

/** A mark, a moment, and another mark. @returns the moment */
async function mark(site: BackupSite): Promise<string> {
  const one = (text: string): Promise<string> =>
    site.sql(PRIMARY, `INSERT INTO marks VALUES ('${text}')`, 'shop');
  await site.sql(PRIMARY, 'DROP TABLE IF EXISTS marks; CREATE TABLE marks (text text)', 'shop');
  await one('before');
  await sleep(1_000);
  const moment = await site.sql(
    PRIMARY,
    `SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`,
  );
  await sleep(1_000);
  await one('after');
  return moment;
}

async function gapOf(site: BackupSite): Promise<string | null> {
  const { code, output } = await site.backup({ mode: 'verify' });
  if (code === 0) return null;
  const [error] = errorsIn(output);
  const gap = /has a gap after backup \S+: (.*?); recovery/.exec(error?.message ?? '');
  if (!gap) throw new Error(`verify failed otherwise: ${output.slice(-2_000)}`);
  return gap[1] ?? null;
}

/** Whether a drill comes to the moment in the outage, and finds what was written before it and not what came after. */
export async function drillProves(site: BackupSite, backup: string, { moment }: Outage): Promise<boolean> {
  const { code, output } = await site.restore({
    ...{ backup, target: moment, timeout: '30m' },
    assertions: "shop: SELECT array_agg(text) = '{before}' FROM marks",
  });
  if (code !== 0) process.stdout.write(`${output.slice(-2_000)}\n`);
  return code === 0 && output.includes('is proven');
}
