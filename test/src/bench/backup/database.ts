import { ARCHIVE } from '@perlstack/configs';
import { DATABASE, type Ground, LAYOUT } from './ground.js';

/** Of 100,000 accounts each, which is 15 MB; for each gigabyte. */
const SCALE = 50;
/** That compress as an application's rows do: those of pgbench are mostly spaces. For each gigabyte. */
const ROWS = 2_500_000;

const fillWith = (gigabytes: number): string => `
cd /
runuser -u postgres -- ${LAYOUT.programs}/pgbench --initialize --quiet --scale=${Math.round(gigabytes * SCALE)} ${DATABASE}
runuser -u postgres -- psql -XAtq -v ON_ERROR_STOP=1 -d ${DATABASE} <<'SQL'
CREATE TABLE orders AS SELECT n AS id, md5(n::text) AS token, (random() * 1000000)::int AS cents,
  now() - n * interval '1 second' AS made FROM generate_series(1, ${Math.round(gigabytes * ROWS)}) AS n;
ALTER TABLE orders ADD PRIMARY KEY (id);
VACUUM ANALYZE;
CHECKPOINT;
SQL
`;

/** What the filling of one takes at most, in seconds. */
const GIGABYTE_S = 300;

/** @returns bytes of all databases */
export async function fill(ground: Ground, gigabytes: number): Promise<number> {
  await ground.host(fillWith(gigabytes), gigabytes * GIGABYTE_S);
  const sizes = 'SELECT sum(pg_database_size(oid)) FROM pg_database';
  return Number(await ground.host(`cd / && runuser -u postgres -- psql -XAtq -c "${sizes}"`));
}

/** As before the first backup: nothing in the bucket, and no tickets, so that the log of the filling is not kept. */
export async function startAgain({ site, host }: Ground): Promise<void> {
  await host(`rm -f ${ARCHIVE.book}`);
  const objects = await site.bucket.list('');
  await site.bucket.remove(objects.map(({ key }) => key));
}
