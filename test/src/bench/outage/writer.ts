import { PRIMARY, type BackupSite } from '../../backup-site.js';
import { LAYOUT } from '../backup/ground.js';

const ROWS = 60;
/** Of the log for a transaction, in bytes: 60 rows of a kilobyte. */
const BYTES = 64_000;
/** How many transactions a second write this many segments of 16 MiB a minute. */
const perSecond = (segmentsAMinute: number): number => (segmentsAMinute * 2 ** 24) / 60 / BYTES;

const UNIT = 'outage-writer';
const FOLDER = '/var/tmp/outage-writer';
const TABLE = 'CREATE TABLE IF NOT EXISTS notes (made timestamptz DEFAULT clock_timestamp(), text text)';

/** What users would have noticed. */
export interface Written {
  readonly transactions: number;
  /** Transactions that failed, or that were acknowledged and are not there. */
  readonly failed: number;
  /** The longest that one took, in seconds. */
  readonly longest: number;
}

/** Users who write at a steady rate, whatever becomes of the log. */
export async function startWriter(
  site: BackupSite,
  { segmentsAMinute, seconds }: { readonly segmentsAMinute: number; readonly seconds: number },
): Promise<() => Promise<Written>> {
  await site.sql(PRIMARY, TABLE, 'shop');
  const before = await count(site);
  const rate = perSecond(segmentsAMinute).toFixed(2);
  const pgbench = `${LAYOUT.programs}/pgbench -n -c 2 -R ${rate} -T ${Math.round(seconds)} -f script -l --aggregate-interval=10 --log-prefix=log shop`;
  await site.hosts.ask(
    PRIMARY,
    `rm -rf ${FOLDER}; install -d -m 0700 -o postgres -g postgres ${FOLDER}
echo "INSERT INTO notes (text) SELECT repeat(md5(random()::text), 30) FROM generate_series(1, ${ROWS});" > ${FOLDER}/script
systemd-run --quiet --unit=${UNIT} --uid=postgres --collect --remain-after-exit --working-directory=${FOLDER} \
  sh -c '${pgbench} > said 2>&1; echo "code $?" >> said'`,
  );
  return async () => {
    const wait = `while ! grep -q '^code ' ${FOLDER}/said; do sleep 1; done; cat ${FOLDER}/said; systemctl stop ${UNIT}`;
    const said = await site.hosts.ask(PRIMARY, `timeout ${Math.round(seconds) + 60} sh -c "${wait}"`);
    const figure = (pattern: RegExp): number => Number(pattern.exec(said)?.[1]);
    const transactions = figure(/^number of transactions actually processed: (\d+)/m);
    if (!said.includes('code 0') || !(transactions > 0)) throw new Error(`pgbench failed: ${said}`);
    const there = ((await count(site)) - before) / ROWS;
    const longest = await site.hosts.ask(PRIMARY, `sort -nk6 ${FOLDER}/log.* | tail -n 1 | cut -d ' ' -f 6`);
    return {
      transactions,
      failed: figure(/^number of failed transactions: (\d+)/m) + Math.max(0, transactions - there),
      longest: Number(longest) / 1e6,
    };
  };
}

const count = async (site: BackupSite): Promise<number> =>
  Number(await site.sql(PRIMARY, 'SELECT count(*) FROM notes', 'shop'));
