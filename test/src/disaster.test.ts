import { execFile } from 'node:child_process';
import { request } from 'node:http';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { FULL_TOKEN, type LocalCloud, openLocalCloud, whyNoHosts } from '@perlstack/local-cloud';
import { generateKeyPair } from '@perlstack/remote';
import { type Inventory, InventorySchema } from '@perlstack/stack';
import { ActionStep, type Ended } from './action-step.js';
import { PRIMARY, REPLICA, STACK } from './backup-site.js';
import { eventually, fails } from './backup-trials.js';

// The first run builds the images.
jest.setTimeout(900_000);

const obstacle = await whyNoHosts();
const { privateKey } = generateKeyPair('workflow');
const DATABASES = [PRIMARY, REPLICA];
const UNIT = 'postgresql@17-main';
const SECRETS = 'DATABASE_PASSWORD=of-the-database\nREPLICATION_PASSWORD=of-the-replicas';

/** The recipe of pg-restore's README, with the actions that it names: both database servers are gone for good. */
(obstacle === null ? describe : describe.skip)(
  `the loss of all database servers${obstacle === null ? '' : ` (skipped: ${obstacle})`}`,
  () => {
    let cloud: LocalCloud;
    let inventory: Inventory;
    let bucket: Record<string, string>;
    let identity = '';
    let recipient = '';
    let backup = '';
    /** Of the servers that are lost. */
    let before: Inventory;

    beforeAll(async () => {
      cloud = await openLocalCloud();
      const { endpoint, accessKeyId, secretAccessKey, region } = await cloud.hosts.startObjectStorage();
      bucket = { endpoint, 'access-key-id': accessKeyId, 'secret-access-key': secretAccessKey };
      const [program = '', ...args] = cloud.hosts.inInternet([
        ...['curl', '--silent', '--fail', '--request', 'PUT', '--user', `${accessKeyId}:${secretAccessKey}`],
        ...['--aws-sigv4', `aws:amz:${region}:s3`, '--header', 'x-amz-content-sha256: UNSIGNED-PAYLOAD'],
        `${endpoint}/shop-backups`,
      ]);
      await promisify(execFile)(program, args);
    }, 300_000);
    afterAll(() => cloud?.close());

    type Result = Ended & { readonly outputs: Readonly<Record<string, string>> };

    async function run(action: string, inputs: Readonly<Record<string, string>>): Promise<Result> {
      const env = { LINODE_API_URL: cloud.apiUrl };
      const prefix = cloud.hosts.inInternet([]);
      const step = new ActionStep(action, { 'ssh-private-key': privateKey, ...inputs }, { env, prefix });
      step.write('perlstack.yml', STACK);
      try {
        const ended = await step.run();
        return { ...ended, outputs: step.entries('OUTPUT') };
      } finally {
        step.remove();
      }
    }

    async function succeeds(running: Promise<Result>, words: string | RegExp = ''): Promise<Result> {
      const result = await running;
      expect(result.output).toMatch(words);
      expect(result.code).toBe(0);
      return result;
    }

    async function provision(): Promise<void> {
      const inputs = { mode: 'apply', 'linode-token': FULL_TOKEN.token };
      const { outputs } = await succeeds(run('provision-linode-tier', inputs));
      inventory = InventorySchema.parse(JSON.parse(outputs['inventory'] ?? '{}'));
    }

    const withInventory = (): { inventory: string } => ({ inventory: JSON.stringify(inventory) });

    const configure = (more: Readonly<Record<string, string>> = {}): Promise<Result> =>
      succeeds(run('apply-configs', { ...withInventory(), mode: 'apply', secrets: SECRETS, ...more }));

    const backUp = (): Promise<Result> =>
      succeeds(
        run('pg-backup-to-object-storage', { ...withInventory(), ...bucket, 'age-recipient': recipient }),
        /has no gap/,
      );

    const restore = (inputs: Readonly<Record<string, string>>): Promise<Result> =>
      run('pg-restore', {
        ...withInventory(),
        ...bucket,
        'age-identity': identity,
        timeout: '10m',
        ...inputs,
      });

    const console = async (host: string, script: string): Promise<string> =>
      (await cloud.hosts.exec(`shop-${host}`, ['sh', '-c', script])).stdout.trim();

    const sql = (query: string, host = PRIMARY): Promise<string> =>
      console(host, `cd / && runuser -u postgres -- psql -XAtqd shop <<'SQL'\n${query}\nSQL`);

    /** At Linode, as whoever has the account can do. */
    async function remove(id: number): Promise<void> {
      const socketPath = cloud.api.url.replace(/^unix:/, '');
      const headers = { Authorization: `Bearer ${FULL_TOKEN.token}` };
      const path = `/v4/linode/instances/${id}`;
      const status = await new Promise((resolve, reject) => {
        request({ socketPath, path, method: 'DELETE', headers }, (answer) => {
          answer.resume().on('end', () => resolve(answer.statusCode));
        })
          .on('error', reject)
          .end();
      });
      expect(status).toBe(200);
    }

    it('backups are made, and the log goes on behind them', async () => {
      await provision();
      await configure();
      const pair = await console(PRIMARY, 'age-keygen 2> /dev/null');
      recipient = /age1\w+/.exec(pair)?.[0] ?? '';
      identity = /AGE-SECRET-KEY-1\w+/.exec(pair)?.[0] ?? '';
      await sql(
        "CREATE TABLE orders AS SELECT n AS id, 'before' AS token FROM generate_series(1, 1000) AS n",
      );
      await sql('CREATE ROLE reporting LOGIN');
      backup = (await backUp()).outputs['backup'] ?? '';
      await sql("INSERT INTO orders SELECT n, 'of the log' FROM generate_series(1001, 1500) AS n");
      await sql('SELECT pg_switch_wal()');
      const waiting = "SELECT count(*) FROM pg_ls_archive_statusdir() WHERE name LIKE '%.ready'";
      await eventually(() => sql(waiting), /^0$/);
    });

    it('servers that were removed are made anew, and get an empty database', async () => {
      before = inventory;
      for (const { name, linodeId } of inventory.hosts)
        if (DATABASES.includes(name)) await remove(linodeId ?? 0);
      const gone = async (): Promise<string> => {
        const labels = (await cloud.hosts.hosts()).map(({ label }) => label);
        return labels.filter((label) => label.includes('database')).join();
      };
      await eventually(gone, /^$/);
      await provision();
      const idsOf = ({ hosts }: Inventory): string[] =>
        hosts.map(({ name, linodeId }) => `${name} ${linodeId}`);
      const kept = idsOf(inventory).filter((one) => idsOf(before).includes(one));
      expect(kept.join()).not.toContain('database');
      await configure();
      expect(await sql("SELECT count(*) FROM pg_class WHERE relname = 'orders'")).toBe('0');
    });

    it('a backup of the empty ones, as the night makes one, hides none of before', async () => {
      const empty = (await backUp()).outputs['backup'];
      const planned = await restore({ mode: 'plan', target: 'latest' });
      expect(planned.output).toContain(`Backup ${empty} would be restored`);
      expect(planned.output).toMatch(
        new RegExp(
          `^::warning::The bucket has backups of 2 clusters of shop.* end with ${backup}, which`,
          'm',
        ),
      );
      const chosen = await restore({ mode: 'plan', target: 'latest', backup });
      expect(chosen.output).toContain(`Backup ${backup} would be restored`);
      expect(chosen.output).not.toContain('::warning::');
    });

    it('the data of the bucket take the place of the empty ones', async () => {
      const inputs = { mode: 'primary', target: 'latest', backup };
      await fails(restore(inputs), /PostgreSQL runs here: stop it first/);
      for (const host of DATABASES) await console(host, `systemctl stop ${UNIT}`);
      await fails(restore(inputs), /is not empty: name this host in the input replace/);
      await succeeds(
        restore({ ...inputs, replace: PRIMARY }),
        `${PRIMARY} is a primary with backup ${backup}`,
      );
      expect(await sql('SELECT count(*) FROM orders')).toBe('1500');
      expect(await sql("SELECT count(*) FROM pg_roles WHERE rolname = 'reporting'")).toBe('1');
    });

    it('apply-configs goes on, and makes replicas of the others', async () => {
      await configure({ 'allow-rebuild': REPLICA });
      await sql("INSERT INTO orders VALUES (0, 'after it')");
      await eventually(() => sql('SELECT count(*) FROM orders', REPLICA), /^1501$/);
      // Nothing is left to do, and the applications get in by the password that they have.
      const { outputs } = await configure();
      expect(outputs['changed']).toBe('false');
      const login = "SELECT rolpassword IS NOT NULL FROM pg_authid WHERE rolname = 'shop'";
      expect(await sql(login)).toBe('t');
    });

    it('backups go on, and are proven', async () => {
      const { outputs } = await backUp();
      expect(outputs['backup']).not.toBe(backup);
      await succeeds(
        restore({ assertions: 'shop: SELECT count(*) = 1501 FROM orders' }),
        `Backup ${outputs['backup']} is proven`,
      );
    });
  },
);
