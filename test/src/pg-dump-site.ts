import { setTimeout as sleep } from 'node:timers/promises';
import { type Dump, keysOf } from '@perlstack/backup';
import type { ActionStep } from './action-step.js';
import { type ActionResult, BackupSite, PRIMARY, REPLICA, STACK } from './backup-site.js';

const BUCKET = 'backups: { bucket: shop-backups }';
/** A third database host, for a server of its own. */
export const OTHER = 'database-3';
export const APP = 'app-1';
export const DUMPS = keysOf('shop').dumps;

export const DUMP_STACK = STACK.replace(BUCKET, 'backups: { bucket: shop-backups, engine: pg_dump }').replace(
  'database: { type: g6-standard-1, count: 2 }',
  'database: { type: g6-standard-1, count: 3 }',
);

/** The password of the user of a managed server. */
export const MANAGED_PASSWORD = 'of:the\\managed-one';

/** What a database of an application may have besides tables. */
export const TABLES = `CREATE ROLE reporting LOGIN PASSWORD 'of-reporting';
  CREATE TABLE orders (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, token text);
  INSERT INTO orders (token) SELECT md5(n::text) FROM generate_series(1, 50000) AS n;
  CREATE TABLE lines AS SELECT n AS id FROM generate_series(1, 300) AS n;
  ALTER TABLE orders OWNER TO shop;
  GRANT SELECT ON orders TO reporting;
  CREATE VIEW recent AS SELECT * FROM orders ORDER BY id DESC LIMIT 10;
  CREATE FUNCTION twice(n int) RETURNS int LANGUAGE sql AS 'SELECT 2 * n';
  SELECT lo_from_bytea(0, 'large');
  ALTER DATABASE shop SET work_mem = '5MB';
  ALTER DATABASE shop SET app.note = E'it''s; two\\nlines';
  ALTER ROLE reporting IN DATABASE shop SET search_path = 'a b', public;
  COMMENT ON DATABASE shop IS 'of the shop';
  REVOKE CONNECT ON DATABASE shop FROM PUBLIC;
  GRANT CONNECT ON DATABASE shop TO reporting`;

type Inputs = Readonly<Record<string, string>>;

/** PostgreSQL on a primary and its replica, with a server of its own on a third host and one that plays a managed one. */
export class DumpSite {
  readonly site: BackupSite;

  private constructor(site: BackupSite) {
    this.site = site;
  }

  static async open(): Promise<DumpSite> {
    const site = await BackupSite.open(DUMP_STACK);
    try {
      const dumps = new DumpSite(site);
      await site.sql(PRIMARY, TABLES, 'shop');
      await site.sql(PRIMARY, 'CREATE DATABASE "Blog & more"');
      await site.sql(PRIMARY, '\\connect "Blog & more"\nCREATE TABLE posts AS SELECT 1 AS id');
      await dumps.makeAnew(OTHER);
      return dumps;
    } catch (error) {
      await site.close();
      throw error;
    }
  }

  /** A host's server becomes an empty one, with the roles that apply-configs makes. */
  async makeAnew(host: string): Promise<void> {
    const data = '/var/lib/postgresql/17/main';
    await this.site.hosts.ask(
      host,
      `systemctl stop postgresql@17-main && rm -rf ${data} && cd / &&
      runuser -u postgres -- /usr/lib/postgresql/17/bin/initdb -D ${data} --auth=peer --locale=C.UTF-8 > /dev/null &&
      systemctl start postgresql@17-main`,
    );
    await this.site.sql(host, "CREATE ROLE shop LOGIN PASSWORD 'of-the-new-one'");
    await this.site.sql(host, 'CREATE DATABASE shop OWNER shop');
  }

  /** Inputs by which an action sees no database hosts but the one, which may be of a stack of its own. */
  only(host: string, stack = 'shop'): Inputs {
    const { inside } = this.site.hosts;
    const hosts = inside.hosts.filter(({ name, tier }) => tier !== 'database' || name === host);
    return { inventory: JSON.stringify({ ...inside, stack, hosts }) };
  }

  /** What the actions see of the stack itself. */
  get own(): Inputs {
    const { inside } = this.site.hosts;
    return {
      inventory: JSON.stringify({ ...inside, hosts: inside.hosts.filter(({ name }) => name !== OTHER) }),
    };
  }

  backup(inputs: Inputs = {}, stackFile = DUMP_STACK): Promise<ActionResult> {
    const given = { 'age-recipient': this.site.age.recipient, ...this.own, ...inputs };
    return this.site.run('pg-backup-to-object-storage', given, stackFile);
  }

  restore(inputs: Inputs = {}, stackFile = DUMP_STACK): Promise<ActionResult> {
    return this.site.run('pg-restore', this.#restoring(inputs), stackFile);
  }

  #restoring(inputs: Inputs): Inputs {
    return { 'age-identity': this.site.age.identity, timeout: '10m', ...this.own, ...inputs };
  }

  backingUp(inputs: Inputs): ActionStep {
    const given = { 'age-recipient': this.site.age.recipient, ...this.own, ...inputs };
    return this.site.step('pg-backup-to-object-storage', given);
  }

  restoring(inputs: Inputs): ActionStep {
    return this.site.step('pg-restore', this.#restoring(inputs));
  }

  async manifestOf(id: string): Promise<Dump> {
    const stored = await this.site.bucket.get(DUMPS.manifest(id));
    return JSON.parse(String(stored?.content)) as Dump;
  }

  /** Ids of dumps that have a manifest. */
  async whole(): Promise<string[]> {
    const keys = (await this.site.bucket.list(DUMPS.bases)).map(({ key }) => key);
    return keys
      .filter((key) => key.endsWith('/manifest.json'))
      .map((key) => key.slice(DUMPS.bases.length).split('/')[0] ?? '');
  }

  /** What runs on a host for a dump or a restore, and what files such a run could have left. */
  async left(host: string): Promise<string> {
    const script =
      'ps -C pg_dump,pg_dumpall,pg_restore,zstd,age,perl,curl -o args= || :; ls /var/tmp /run /dev/shm /var/lib/postgresql/17 2> /dev/null | grep perlstack- || :';
    return (await this.site.hosts.console(host, script)).output;
  }

  databases(host: string): Promise<string> {
    return this.site.sql(host, 'SELECT datname FROM pg_database WHERE NOT datistemplate ORDER BY 1');
  }

  /**
   * Makes a server of the third host that is reached over the network alone, with TLS and a password.
   *
   * @returns its certificate, and the address by which it is reached
   */
  async openManaged(name: string): Promise<{ readonly ca: string; readonly url: string }> {
    const { hosts } = this.site;
    const address = hosts.inventory.hosts.find((one) => one.name === OTHER)?.privateAddress ?? '';
    const folder = '/etc/postgresql/17/main';
    await hosts.ask(
      OTHER,
      `cd ${folder} && openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=${name} -addext subjectAltName=DNS:${name} -keyout managed.key -out managed.crt 2> /dev/null
      chown postgres: managed.key && chmod 0600 managed.key && chmod 0644 managed.crt
      sed -i '1i hostssl all managed 10.0.0.0/8 scram-sha-256' pg_hba.conf
      nft flush ruleset 2> /dev/null || :`,
    );
    await this.site.sql(
      OTHER,
      `ALTER SYSTEM SET listen_addresses = '*'; ALTER SYSTEM SET ssl = on;
      ALTER SYSTEM SET ssl_cert_file = '${folder}/managed.crt'; ALTER SYSTEM SET ssl_key_file = '${folder}/managed.key'`.replaceAll(
        '; ',
        ';\n',
      ),
    );
    await hosts.ask(OTHER, 'systemctl restart postgresql@17-main');
    await this.site.sql(OTHER, `CREATE ROLE managed LOGIN CREATEDB PASSWORD '${MANAGED_PASSWORD}'`);
    await this.site.sql(OTHER, 'CREATE DATABASE orders OWNER managed');
    await this.site.sql(
      OTHER,
      'SET ROLE managed;\nCREATE TABLE sold AS SELECT n FROM generate_series(1, 777) AS n',
      'orders',
    );
    await hosts.ask(APP, `echo '${address} ${name}' >> /etc/hosts`);
    const ca = await hosts.ask(OTHER, `cat ${folder}/managed.crt`);
    return { ca, url: `postgresql://managed@${name}:5432/orders` };
  }

  async close(): Promise<void> {
    await this.site.close();
  }
}

/** A console command's output, looked at again and again while something else runs. */
export async function watching<T>(work: Promise<T>, look: () => Promise<string>): Promise<[T, string[]]> {
  const seen: string[] = [];
  let over = false;
  const done = work.finally(() => (over = true));
  while (!over) {
    seen.push(await look());
    await Promise.race([done.catch(() => undefined), sleep(100)]);
  }
  return [await done, seen];
}

export { PRIMARY, REPLICA };
