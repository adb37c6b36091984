import { createHash } from 'node:crypto';
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { whyNoHosts } from '@perlstack/local-cloud';
import type { Storage } from '@perlstack/object-storage';
import { BackupSite, PRIMARY, STACK } from './backup-site.js';
import { DUMPS, TABLES } from './pg-dump-site.js';

// The first run builds the images.
jest.setTimeout(900_000);

const obstacle = await whyNoHosts();

const ONE = STACK.replace(
  'database: { type: g6-standard-1, count: 2 }',
  'database: { type: g6-standard-1, count: 1 }',
);
const DUMPED = ONE.replace('bucket: shop-backups', 'bucket: shop-backups, engine: pg_dump');
const OLD = DUMPED.replace('region:', 'image: linode/debian12\nregion:');
const NEW = DUMPED.replace('stack: shop', 'stack: new');

/** What a move is to bring along, as one line. */
const SEEN = `SELECT count(*), count(DISTINCT token), twice(21), current_setting('work_mem'),
  has_table_privilege('reporting', 'orders', 'SELECT') FROM orders`;

/** As a host does it: what its ETag says of an object goes by its parts. */
async function putInParts(bucket: Storage, key: string, content: Buffer): Promise<void> {
  const upload = await bucket.createUpload(key);
  const { url } = upload.signPart(1, bucket.presigner(60));
  const { status } = await fetch(url, { method: 'PUT', body: new Uint8Array(content) });
  if (status !== 200) throw new Error(`${key}: the bucket answers ${status}`);
  const md5 = createHash('md5').update(content).digest('hex');
  await upload.complete([{ part: 1, size: content.length, md5 }]);
}

(obstacle === null ? describe : describe.skip)(
  `a move to a newer PostgreSQL${obstacle === null ? '' : ` (skipped: ${obstacle})`}`,
  () => {
    let site: BackupSite | undefined;
    afterEach(() => site?.close());

    it('a dump of PostgreSQL 15 on Debian 12 becomes the databases of PostgreSQL 17 on Debian 13', async () => {
      const old = (site = await BackupSite.open(OLD));
      await old.sql(PRIMARY, 'CREATE ROLE shop LOGIN; CREATE DATABASE shop OWNER shop'.replace('; ', ';\n'));
      await old.sql(PRIMARY, TABLES, 'shop');
      expect(await old.sql(PRIMARY, 'SHOW server_version_num')).toMatch(/^15/);
      const there = await old.sql(PRIMARY, SEEN, 'shop');
      expect(await old.backup()).toMatchObject({ code: 0 });
      const { identity } = old.age;
      const objects = [];
      for (const { key } of await old.bucket.list(DUMPS.bases))
        objects.push({ key, content: (await old.bucket.get(key))?.content });
      await old.close();

      const young = (site = await BackupSite.open(NEW));
      for (const { key, content } of objects) await putInParts(young.bucket, key, content ?? Buffer.alloc(0));
      expect(await young.sql(PRIMARY, 'SHOW server_version_num')).toMatch(/^17/);
      const inputs = { 'from-stack': 'shop', 'age-identity': identity };
      const { code, output } = await young.restore({ mode: 'primary', ...inputs });
      expect(output).toMatch(/database-1 has shop of dump \S+, every row counted/);
      expect(code).toBe(0);
      expect(await young.sql(PRIMARY, SEEN, 'shop')).toBe(there);
    });
  },
);
