import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { whyNoHosts } from '@perlstack/local-cloud';
import { PRIMARY, REPLICA, STACK } from './backup-site.js';
import { eventually, fails } from './backup-trials.js';
import { APP, DUMP_STACK, DUMPS, DumpSite, MANAGED_PASSWORD, OTHER, watching } from './pg-dump-site.js';

// The first run builds the images.
jest.setTimeout(900_000);

const obstacle = await whyNoHosts();

/** Nothing but the newest dump of each kind is kept. */
const FORGETFUL = DUMP_STACK.replace(
  'engine: pg_dump',
  'engine: pg_dump, keep: { daily: 0, weekly: 0, monthly: 0 }',
);

(obstacle === null ? describe : describe.skip)(
  `dumps of PostgreSQL${obstacle === null ? '' : ` (skipped: ${obstacle})`}`,
  () => {
    let dumps: DumpSite;
    let dump = '';

    beforeAll(async () => {
      dumps = await DumpSite.open();
    });
    afterAll(() => dumps?.close());

    const sql = (query: string, host = PRIMARY, database = 'shop'): Promise<string> =>
      dumps.site.sql(host, query, database);

    it('has PostgreSQL keep no log, and no book of tickets', async () => {
      expect(await sql('SHOW archive_mode')).toBe('off');
      expect(await dumps.site.hosts.ask(PRIMARY, 'ls /var/lib/perlstack-wal 2> /dev/null || echo none')).toBe(
        'none',
      );
    });

    it('says what it would do, without a change', async () => {
      const { code, output } = await dumps.backup({ mode: 'plan' });
      expect(output).toMatch(
        /Blog & more \(\d+\.\d MiB\), shop \(\d+\.\d MiB\) of database-2 would be dumped; 0 whole dumps there; 0 would go\. Nothing/,
      );
      expect(code).toBe(0);
      expect(await dumps.site.bucket.list('')).toEqual([]);
      await fails(dumps.backup({ mode: 'verify' }), /no whole dump of this stack; run mode "backup"/);
      await fails(dumps.restore({ mode: 'drill' }), /has no whole dump of this stack's own PostgreSQL/);
    });

    it('dumps a replica while the primary is written to, each row counted in the very snapshot', async () => {
      const writing = dumps.site.hosts.console(
        PRIMARY,
        `cd / && for i in $(seq 100); do runuser -u postgres -- psql -Xqd shop -c "INSERT INTO orders (token) SELECT 'x' FROM generate_series(1, 500)"; sleep 0.05; done`,
      );
      const { code, output, outputs, summary } = await dumps.backup();
      await writing;
      expect(output).toMatch(/Dump \S+ of database-2 is whole: 2 databases/);
      expect(code).toBe(0);
      dump = outputs['backup'] ?? '';
      expect(outputs['source']).toBe(REPLICA);
      expect(summary).toContain(dump);
      expect(JSON.parse(outputs['metrics'] ?? '')).toMatchObject({ backups: 1, lastDrillAgeSeconds: null });
      const { databases, globals, source, postgresql } = await dumps.manifestOf(dump);
      expect(source).toMatchObject({ host: REPLICA, role: 'replica', server: null });
      expect(postgresql).toMatchObject({ major: 17, program: 17 });
      expect(databases.map(({ name }) => name)).toEqual(['Blog & more', 'shop']);
      expect(databases[1]?.rows['public.lines']).toBe(300);
      expect(databases[1]?.rows['public.orders']).toBeGreaterThanOrEqual(50_000);
      expect(globals.passwords).toBe(true);
      expect(await dumps.left(REPLICA)).not.toMatch(/perlstack|pg_dump|curl/);
    });

    it('is proven by a drill, which leaves nothing', async () => {
      const { code, output, outputs } = await dumps.restore({
        assertions: [
          'shop: SELECT count(*) >= 50000 FROM orders',
          "shop: SELECT current_setting('work_mem') = '5MB'",
          "shop: SELECT current_setting('app.note') = E'it''s; two\\nlines'",
          "shop: SELECT has_table_privilege('reporting', 'orders', 'SELECT')",
          "shop: SELECT has_database_privilege('reporting', 'shop', 'CONNECT')",
          "shop: SELECT rolpassword LIKE 'SCRAM-SHA-256$%' FROM pg_authid WHERE rolname = 'reporting'",
          "shop: SELECT shobj_description(oid, 'pg_database') = 'of the shop' FROM pg_database WHERE datname = 'shop'",
          'shop: SELECT twice(2) = 4',
          "shop: SELECT lo_get(oid) = 'large' FROM pg_largeobject_metadata",
        ].join('\n'),
      });
      expect(output).toContain(`Backup ${dump} is proven`);
      expect(code).toBe(0);
      const report = JSON.parse(outputs['report'] ?? '') as object;
      expect(report).toMatchObject({
        host: REPLICA,
        faults: [],
        databases: ['Blog & more', 'shop'],
        tables: 3,
      });
      expect(await dumps.left(REPLICA)).not.toMatch(/perlstack/);
      expect(await dumps.site.bucket.list(DUMPS.drills)).toHaveLength(1);
    });

    it('a drill fails when an answer is another, or the rows are', async () => {
      const manifest = await dumps.manifestOf(dump);
      const claim = (one: object): Promise<unknown> =>
        dumps.site.bucket.put(DUMPS.manifest(dump), JSON.stringify(one));
      const databases = manifest.databases.map((one) =>
        one.name === 'shop' ? { ...one, rows: { ...one.rows, 'public.lines': 301 } } : one,
      );
      await claim({ ...manifest, databases });
      const { code, output } = await dumps.restore({ assertions: 'shop: SELECT count(*) = 1 FROM orders' });
      await claim(manifest);
      expect(code).toBe(1);
      expect(output).toContain('shop: SELECT count(*) = 1 FROM orders: the answer is f, not t');
      expect(output).toContain('shop: table public.lines has 300 rows instead of 301');
    });

    it('one byte is another: verify and drill say so', async () => {
      const manifest = await dumps.manifestOf(dump);
      const { key } = manifest.databases[1]?.object ?? { key: '' };
      const content = (await dumps.site.bucket.get(key))?.content ?? Buffer.alloc(0);
      const damaged = Buffer.from(content);
      const middle = damaged.length >> 1;
      damaged.writeUInt8(damaged.readUInt8(middle) ^ 1, middle);
      const { etag } = await dumps.site.bucket.put(key, damaged);
      await fails(dumps.backup({ mode: 'verify' }), new RegExp(`Dump ${dump} is broken: .*${etag}`));
      await fails(dumps.restore({ backup: dump }), new RegExp(`there is no whole dump ${dump}`));
      // Somebody who makes the manifest fit is found out by the hash and by age.
      const text = JSON.stringify(manifest).replaceAll(manifest.databases[1]?.object.etag ?? '', etag);
      await dumps.site.bucket.put(DUMPS.manifest(dump), text);
      await fails(dumps.restore(), /could not be restored: .*(not what was stored: SHA-256|age failed)/);
      expect(await dumps.left(REPLICA)).not.toMatch(/perlstack/);
      const restored = (await dumps.site.bucket.put(key, content)).etag;
      await dumps.site.bucket.put(DUMPS.manifest(dump), text.replaceAll(etag, restored));
      expect((await dumps.backup({ mode: 'verify' })).output).toContain('1 whole dump, the newest of');
    });

    it('a single database does not take the place of all of them', async () => {
      const { code, outputs } = await dumps.backup({ databases: 'shop', 'keep-minimum': '1' }, FORGETFUL);
      expect(code).toBe(0);
      expect(JSON.parse(outputs['removed'] ?? '')).toEqual([]);
      const one = outputs['backup'] ?? '';
      const { databases, selected } = await dumps.manifestOf(one);
      expect([selected, databases.map(({ name }) => name)]).toEqual([['shop'], ['shop']]);
      const again = await dumps.backup({ databases: 'shop', 'keep-minimum': '1' }, FORGETFUL);
      expect(JSON.parse(again.outputs['removed'] ?? '')).toEqual([one]);
      expect(await dumps.whole()).toEqual([dump, again.outputs['backup']]);
      await fails(
        dumps.backup({ databases: 'shop, shoes' }),
        /there is no database "shoes"; there is: Blog & more, postgres, shop/,
      );
    });

    it('goes into a server of another stack, and leaves what that has alone', async () => {
      const into = { mode: 'primary', ...dumps.only(OTHER, 'new'), 'from-stack': 'shop' };
      const stack = DUMP_STACK.replace('stack: shop', 'stack: new');
      await fails(
        dumps.restore({ ...into, 'from-stack': '' }, stack),
        /has no whole dump of this stack's own/,
      );
      const plan = await dumps.restore({ ...into, mode: 'plan' }, stack);
      expect(plan.output).toMatch(
        /would be restored into database-3: Blog & more, shop\. Nothing was changed/,
      );
      const { code, output } = await dumps.restore(into, stack);
      expect(output).toMatch(/database-3 has Blog & more, shop of dump \S+, every row counted/);
      expect(code).toBe(0);
      expect(await dumps.databases(OTHER)).toBe('Blog & more\npostgres\nshop');
      const { databases } = await dumps.manifestOf(dump);
      expect(await sql('SELECT count(*) FROM orders', OTHER)).toBe(
        String(databases[1]?.rows['public.orders']),
      );
      expect(
        await sql("SELECT relname FROM pg_class WHERE relowner = 'shop'::regrole AND relkind = 'r'", OTHER),
      ).toBe('orders');
      expect(await sql('SHOW work_mem', OTHER)).toBe('5MB');
      // Roles that were there keep their passwords, others get theirs.
      const verifier = "SELECT rolpassword FROM pg_authid WHERE rolname = '";
      expect(await sql(`${verifier}shop'`, OTHER)).not.toBe(await sql(`${verifier}shop'`));
      expect(await sql(`${verifier}reporting'`, OTHER)).toBe(await sql(`${verifier}reporting'`));
    });

    it('writes over no database that has something in it, unless it is named', async () => {
      const into = { mode: 'primary', ...dumps.only(OTHER), databases: 'shop', backup: dump };
      await sql('CREATE TABLE mine AS SELECT 1', OTHER);
      await fails(
        dumps.restore(into),
        /database-3 has a database shop with something in it: name shop in the input "replace", and it is moved aside\. Nothing was changed/,
      );
      await fails(
        dumps.restore({ ...into, replace: 'shoes' }),
        /Input "replace": "shoes" is none of|has a database shop/,
      );
      expect(await sql('SELECT count(*) FROM mine', OTHER)).toBe('1');
      const { code, output } = await dumps.restore({ ...into, replace: 'shop' });
      expect(output).toContain('what was there before is database shop_replaced_');
      expect(code).toBe(0);
      const aside = `shop_replaced_${dump.toLowerCase()}`;
      expect(await dumps.databases(OTHER)).toBe(`Blog & more\npostgres\nshop\n${aside}`);
      expect(await sql('SELECT count(*) FROM mine', OTHER, aside)).toBe('1');
      expect(await sql("SELECT to_regclass('mine') IS NULL", OTHER)).toBe('t');
    });

    it('a restore that fails, or whose runner is killed, leaves the databases that there were', async () => {
      await dumps.makeAnew(OTHER);
      const before = await dumps.databases(OTHER);
      const into = { mode: 'primary', ...dumps.only(OTHER), backup: dump };
      const manifest = await dumps.manifestOf(dump);
      const text = JSON.stringify(manifest);
      await dumps.site.bucket.put(
        DUMPS.manifest(dump),
        text.replace('"public.lines":300', '"public.lines":299'),
      );
      await fails(dumps.restore(into), /was not restored|table public\.lines has 300 rows instead of 299/);
      await dumps.site.bucket.put(DUMPS.manifest(dump), text);
      expect(await dumps.databases(OTHER)).toBe(before);
      const step = dumps.restoring(into);
      const running = step.start();
      await running.until(/shop, \d+ bytes/);
      running.kill('SIGKILL');
      await running.ended;
      await eventually(() => dumps.left(OTHER), /^(?!.*(pg_restore|curl|perl))/s);
      // What it left is not another one's, as long as nobody knows that it is over.
      const unfinished = await dumps.databases(OTHER);
      expect(unfinished).toContain('perlstack_restore_');
      await fails(
        dumps.restore(into),
        /A restore is under way since \S+ \(.*if it was killed, its lease ends/,
      );
      expect(await dumps.databases(OTHER)).toBe(unfinished);
      expect(await step.run('post')).toMatchObject({ code: 0 });
      step.remove();
      expect(await dumps.databases(OTHER)).toBe(before);
    });

    it('of two restores at once one is done and one refused; post of one that lost its lease takes nothing away', async () => {
      await dumps.makeAnew(OTHER);
      const into = { mode: 'primary', ...dumps.only(OTHER), backup: dump, databases: 'shop' };
      const step = dumps.restoring(into);
      try {
        const running = step.start();
        await running.until(/shop, \d+ bytes/);
        running.kill('SIGKILL');
        await running.ended;
        // As ten minutes of silence do.
        await dumps.site.hosts.ask(OTHER, 'touch -d "11 minutes ago" /var/lib/perlstack/restore/shop.lock');
        const ended = await Promise.all([dumps.restore(into), dumps.restore(into)]);
        const [done, refused] = ended.sort((one, other) => (one.code ?? 9) - (other.code ?? 9));
        expect(done?.output).toMatch(/has shop of dump \S+, every row counted/);
        expect(refused?.output).toMatch(
          /A restore is under way since|has a database shop with something in it/,
        );
        expect(refused?.code).toBe(1);
        expect(await step.run('post')).toMatchObject({ code: 0 });
      } finally {
        step.remove();
      }
      expect(await dumps.databases(OTHER)).toBe('postgres\nshop');
      expect(await sql('SELECT count(*) FROM lines', OTHER)).toBe('300');
    });

    it('a runner is killed in the middle: nothing looks whole, its host ends by itself, the next run clears it', async () => {
      const before = await dumps.whole();
      const step = dumps.backingUp({ 'max-rate': '1' });
      await sql('CREATE EXTENSION pgcrypto');
      await sql(
        'CREATE TABLE ballast AS SELECT n, gen_random_bytes(1000) AS noise FROM generate_series(1, 20000) AS n',
      );
      const running = step.start();
      await running.until(/[1-9]\d* MiB sent/);
      running.kill('SIGKILL');
      await running.ended;
      await eventually(() => dumps.left(REPLICA), /^(?!.*(perlstack|pg_dump|curl|zstd|age ))/s);
      expect(await dumps.whole()).toEqual(before);
      expect(await step.run('post')).toMatchObject({ code: 0 });
      step.remove();
      expect(await dumps.site.bucket.uploads('')).toEqual([]);
      const { code, output } = await dumps.backup();
      expect(output).toMatch(/Removed backup \S+, which never came to its end/);
      expect(code).toBe(0);
      expect(await dumps.whole()).toHaveLength(before.length + 1);
    });

    it('makes one beside another engine, as an exception', async () => {
      const stack = STACK.replace('count: 2', 'count: 3');
      await fails(
        dumps.backup({ databases: 'shop' }, stack),
        /only the engine pg_dump can do that; add engine: pg_dump/,
      );
      const { code, outputs } = await dumps.backup({ engine: 'pg_dump', source: 'primary' }, stack);
      expect(code).toBe(0);
      expect(outputs['source']).toBe(PRIMARY);
      const proven = await dumps.restore({ engine: 'pg_dump', backup: outputs['backup'] ?? '' }, stack);
      expect(proven.output).toContain('is proven');
    });

    it('without encryption, no password of a role leaves the server', async () => {
      const plain = DUMP_STACK.replace('engine: pg_dump', 'engine: pg_dump, encrypt: false');
      const { code, output, outputs } = await dumps.backup({ 'age-recipient': '', databases: 'shop' }, plain);
      expect(output).toContain('The passwords of roles are not in the dump: nothing is encrypted');
      expect(code).toBe(0);
      const { globals } = await dumps.manifestOf(outputs['backup'] ?? '');
      const stored = await dumps.site.bucket.get(globals.object.key);
      await dumps.site.hosts.remote.upload(
        OTHER,
        { path: '/run/globals.zst', mode: 0o600, owner: 'root', group: 'root' },
        stored?.content ?? Buffer.alloc(0),
        { sudo: true },
      );
      const text = await dumps.site.hosts.ask(OTHER, 'zstd -dc /run/globals.zst; rm /run/globals.zst');
      expect(text).toContain('CREATE ROLE reporting;');
      expect(text).not.toContain('SCRAM');
    });

    it('dumps a managed server by way of a host of the stack, whose password nobody sees', async () => {
      const { ca, url } = await dumps.openManaged('db.managed.test');
      const server = { server: url, 'server-password': MANAGED_PASSWORD, 'server-ca': ca, via: APP };
      const install = (packages: string): Promise<string> =>
        dumps.site.hosts.ask(
          APP,
          `DEBIAN_FRONTEND=noninteractive apt-get install -qy ${packages} > /dev/null 2>&1`,
        );
      // As on the smallest Debian, which has no more of it than dpkg needs.
      await dumps.site.hosts.ask(APP, 'mv /usr/share/perl /usr/share/perl.away');
      await fails(dumps.backup(server), /app-1: there is no perl here; add perl to app\.packages/);
      await dumps.site.hosts.ask(APP, 'mv /usr/share/perl.away /usr/share/perl');
      await fails(
        dumps.backup(server),
        /app-1: there is no pg_dump here; add postgresql-client to app\.packages/,
      );
      await install('postgresql-client');
      await fails(dumps.backup(server), /app-1: there is no age here; add age to app\.packages/);
      await install('age');
      await fails(
        dumps.backup({ ...server, 'server-ca': '' }),
        /app-1 does not come to db\.managed\.test:5432: .*certificate verify failed/,
      );
      await fails(
        dumps.backup({ ...server, 'server-password': 'another-one' }),
        /app-1 does not come to db\.managed\.test:5432: .*password authentication failed for user "managed"/,
      );
      const console = async (script: string): Promise<string> =>
        (await dumps.site.hosts.console(APP, script)).output;
      // Whoever looks for it must not be found.
      const files = "grep -rls 'of:[t]he' /dev/shm /run /tmp /var/tmp || :";
      const look = async (): Promise<string> =>
        `${await console('ps -eo args=')}\nFILES=${await console(files)}`;
      const [{ code, output, outputs, written }, seen] = await watching(
        dumps.backup({ ...server, databases: 'orders' }),
        look,
      );
      expect(output).toMatch(/Dump \S+ of db\.managed\.test:5432 is whole: 1 database/);
      expect(output).toContain(
        'The passwords of roles are not in the dump: such a server does not tell them',
      );
      expect(code).toBe(0);
      expect(seen.join('\n')).toContain('pg_dump');
      expect([...seen, output, JSON.stringify(written)].join('\n')).not.toMatch(/of:the|FILES=./);
      const { source, databases } = await dumps.manifestOf(outputs['backup'] ?? '');
      expect(source).toEqual({ server: 'db.managed.test:5432', host: APP, role: 'remote', lagBytes: 0 });
      expect(databases[0]?.rows).toEqual({ 'public.sold': 777 });
      // It is of another series than the stack's own dumps, which stay what a drill takes.
      const drill = await dumps.restore({
        server: url,
        assertions: "orders: SELECT tableowner = 'managed' FROM pg_tables WHERE tablename = 'sold'",
      });
      expect(drill.output).toContain(`Backup ${outputs['backup'] ?? ''} is proven: orders restored`);
      expect(await dumps.left(APP)).not.toMatch(/perlstack|pg_dump/);
    });
  },
);
