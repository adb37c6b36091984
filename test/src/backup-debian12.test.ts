import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { whyNoHosts } from '@perlstack/local-cloud';
import { BackupSite, PRIMARY, STACK } from './backup-site.js';

// The first run builds the images.
jest.setTimeout(900_000);

const obstacle = await whyNoHosts();

const OLD = STACK.replace(
  'database: { type: g6-standard-1, count: 2 }',
  'database: { type: g6-standard-1, count: 1 }',
).replace('region:', 'image: linode/debian12\nregion:');

(obstacle === null ? describe : describe.skip)(
  `backups of PostgreSQL 15 on Debian 12${obstacle === null ? '' : ` (skipped: ${obstacle})`}`,
  () => {
    let site: BackupSite;

    beforeAll(async () => {
      site = await BackupSite.open(OLD);
    });
    afterAll(() => site?.close());

    it('a copy that the server packed itself is proven by a drill', async () => {
      expect(await site.sql(PRIMARY, 'SHOW server_version_num')).toMatch(/^15/);
      await site.sql(PRIMARY, 'CREATE TABLE orders AS SELECT n FROM generate_series(1, 100000) AS n');
      const backup = await site.backup();
      expect(backup.output).toMatch(/Backup \S+ of database-1 is whole/);
      expect(backup.code).toBe(0);
      const drill = await site.restore({
        mode: 'drill',
        assertions: 'postgres: SELECT count(*) = 100000 FROM orders',
      });
      expect(drill.output).toMatch(/Backup \S+ is proven/);
      expect(drill.code).toBe(0);
    });
  },
);
