import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from '@jest/globals';
import { keysOf, type Manifest } from '@perlstack/backup';
import { type ActionStep, errorsIn, type Running } from './action-step.js';
import { type ActionResult, BackupSite, PRIMARY, REPLICA, STACK } from './backup-site.js';
import { openStorageRelay, type StorageRelay } from './storage-relay-handle.js';

export const LEASE = keysOf('shop').lease;

/** So much noise that a backup of it can be slow. */
const TABLES = `CREATE EXTENSION pgcrypto;
  CREATE TABLE ballast AS SELECT n, gen_random_bytes(1000) AS noise FROM generate_series(1, 12000) AS n;
  CREATE TABLE orders AS SELECT n AS id, md5(n::text) AS token FROM generate_series(1, 1000) AS n`;

type Inputs = Readonly<Record<string, string>>;

/** A site whose backups are done harm to, with one good backup to begin with. */
export class BackupTrials {
  readonly site: BackupSite;
  /** In front of the storage, for hosts and actions alike. */
  readonly relay: StorageRelay;
  /** The newest good backup. */
  #last: Manifest | undefined;

  private constructor(site: BackupSite, relay: StorageRelay) {
    this.site = site;
    this.relay = relay;
  }

  static async open(): Promise<BackupTrials> {
    const site = await BackupSite.open(STACK);
    try {
      const relay = await openStorageRelay(site.hosts.cloud, site.storage.endpoint);
      const trials = new BackupTrials(site, relay);
      await trials.sql(TABLES);
      await trials.succeeds();
      return trials;
    } catch (error) {
      await site.close();
      throw error;
    }
  }

  get last(): Manifest {
    if (!this.#last) throw new Error('there is no backup yet');
    return this.#last;
  }

  sql(query: string, host = PRIMARY): Promise<string> {
    return this.site.sql(host, query, 'shop');
  }

  backup(inputs: Inputs = {}): Promise<ActionResult> {
    return this.site.backup({ endpoint: this.relay.endpoint, 'archive-timeout': '60s', ...inputs });
  }

  restore(inputs: Inputs = {}): Promise<ActionResult> {
    return this.site.restore({ endpoint: this.relay.endpoint, ...inputs });
  }

  /** Of the bucket, oldest first. */
  async manifests(): Promise<Manifest[]> {
    const objects = await this.site.bucket.list('shop/postgresql/');
    const found = objects.filter(({ key }) => key.endsWith('manifest.json'));
    const texts = await Promise.all(found.map(({ key }) => this.site.bucket.get(key)));
    return texts.map((one) => JSON.parse(String(one?.content)) as Manifest);
  }

  async uploads(): Promise<string[]> {
    return (await this.site.bucket.uploads('')).map(({ key }) => key);
  }

  /** A backup as it should be. */
  async succeeds(inputs: Inputs = {}): Promise<ActionResult> {
    const result = await this.backup(inputs);
    expect(result.output).toContain('has no gap');
    expect(result.code).toBe(0);
    expect(await this.uploads()).toEqual([]);
    this.#last = (await this.manifests()).find(({ id }) => id === result.outputs['backup']);
    expect(this.last.proof).not.toBeNull();
    return result;
  }

  /** A backup that takes so long that something can be done to it, in its middle. */
  async inTheMiddle(act: (step: ActionStep, running: Running) => Promise<void>): Promise<void> {
    const step = this.site.step('pg-backup-to-object-storage', {
      'age-recipient': this.site.age.recipient,
      endpoint: this.relay.endpoint,
      'max-rate': '1',
    });
    const running = step.start();
    try {
      await running.until(/[1-9]\d* MiB sent/);
      await act(step, running);
    } finally {
      running.kill('SIGKILL');
      await running.ended;
      step.remove();
    }
  }

  /** Nothing of a backup runs on its source any more. */
  async quiet(host = REPLICA): Promise<void> {
    const { hosts } = this.site;
    const programs = 'ps -C zstd,age,perl,curl -o args= || :';
    await eventually(async () => (await hosts.console(host, programs)).output, /^$/);
    const slots = "SELECT count(*) FROM pg_replication_slots WHERE slot_name ~ 'backup'";
    await eventually(() => this.sql(slots, host), /^0$/);
    expect((await hosts.console(host, 'ls /var/tmp')).output).not.toContain('perlstack');
  }

  /** Writes something, and then the segment that it is in is full. */
  async write(): Promise<void> {
    await this.sql("INSERT INTO orders VALUES (0, 'more')");
    await this.sql('SELECT pg_switch_wal()');
  }

  /** How many segments wait to be archived. */
  readonly waiting = (host = PRIMARY): Promise<string> =>
    this.sql("SELECT count(*) FROM pg_ls_archive_statusdir() WHERE name LIKE '%.ready'", host);

  /** What the archive command said last. */
  readonly logged = (): Promise<string> =>
    this.site.hosts.ask(PRIMARY, 'grep -rh archive-wal /var/log/postgresql | tail -n 5 || :');

  async close(): Promise<void> {
    this.relay.close();
    await this.site.close();
  }
}

export const folderOf = ({ object }: Manifest): string =>
  object.key.slice(0, object.key.lastIndexOf('/') + 1);

export const keyOfSegment = ({ postgresql }: Manifest, name: string): string =>
  keysOf('shop').cluster(postgresql.systemId).segment(name, true);

/** Fails in one line. */
export async function fails(
  ended: Pick<ActionResult, 'code' | 'output'> | Promise<Pick<ActionResult, 'code' | 'output'>>,
  message: RegExp,
): Promise<void> {
  const { code, output } = await ended;
  const errors = errorsIn(output).map((error) => error.message);
  expect(errors.join('\n')).toMatch(message);
  expect(errors).toHaveLength(1);
  expect(errors[0]).not.toContain('\n');
  expect(code).toBe(1);
}

/** On a host: whom it asks from now on does not answer. */
export const DEAF =
  "nft add table inet deaf; nft add chain inet deaf out '{ type filter hook output priority 0; }'; " +
  "nft add rule inet deaf out 'tcp flags & (syn | ack) == syn drop'";
export const NO_LONGER_DEAF = 'nft delete table inet deaf';

/** Asks until the answer is as it should be. */
export async function eventually(
  ask: () => Promise<string>,
  wanted: RegExp,
  most = 240,
  everyMs = 500,
): Promise<string> {
  let answer = '';
  for (let tries = 0; tries < most; tries += 1) {
    answer = await ask();
    if (wanted.test(answer)) return answer;
    await sleep(everyMs);
  }
  expect(answer).toMatch(wanted);
  return answer;
}
