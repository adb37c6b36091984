import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Consent, ConvergePlan } from '@perlstack/converge';
import type { ObjectSeen } from '@perlstack/object-storage';
import type { ActionStep } from './action-step.js';
import { type ActionResult, BackupSite, PRIMARY, REPLICA, STACK } from './backup-site.js';
import { GATEWAY_NAME, makeCertificate, trustScript } from './gateway-certificate.js';

const BUCKET = 'backups: { bucket: shop-backups }';

export const PGBACKREST_STACK = STACK.replace(
  BUCKET,
  `backups: { bucket: shop-backups, engine: pgbackrest, endpoint: 'https://${GATEWAY_NAME}:7443' }`,
);

/** With nothing but the newest backup kept. */
export const FORGETFUL_STACK = PGBACKREST_STACK.replace(
  'engine: pgbackrest',
  'engine: pgbackrest, pitr: 1s, keep: { daily: 0, weekly: 0, monthly: 0 }',
);

export const PASSPHRASE = 'correct horse # battery';

/** The hosts have it. */
const WITHOUT_KEY = { endpoint: '', 'access-key-id': '', 'secret-access-key': '' };

type Inputs = Readonly<Record<string, string>>;

/** PostgreSQL on two hosts that know a gateway with TLS; its backups are still those of the other engine. */
export class PgbackrestSite {
  readonly site: BackupSite;
  readonly #folder: string;

  private constructor(site: BackupSite, folder: string) {
    this.site = site;
    this.#folder = folder;
  }

  static async open(): Promise<PgbackrestSite> {
    const folder = await mkdtemp(path.join(tmpdir(), 'pgbackrest-test-'));
    try {
      const { pem, text } = await makeCertificate(folder);
      const site = await BackupSite.open(STACK, { pem });
      for (const host of [PRIMARY, REPLICA]) await site.hosts.ask(host, trustScript(text));
      return new PgbackrestSite(site, folder);
    } catch (error) {
      await rm(folder, { recursive: true, force: true });
      throw error;
    }
  }

  get secrets(): Readonly<Record<string, string>> {
    const { accessKeyId, secretAccessKey } = this.site.storage;
    return {
      ...{ BACKUP_ACCESS_KEY_ID: accessKeyId, BACKUP_SECRET_ACCESS_KEY: secretAccessKey },
      BACKUP_CIPHER_PASSPHRASE: PASSPHRASE,
    };
  }

  /** As apply-configs does it. */
  converge(secrets: Inputs = {}, consent: Partial<Consent> = {}): Promise<ConvergePlan> {
    return this.site.converge(consent, this.site.bundle(PGBACKREST_STACK, { ...this.secrets, ...secrets }));
  }

  backup(inputs: Inputs = {}, stackFile = PGBACKREST_STACK): Promise<ActionResult> {
    return this.#run('pg-backup-to-object-storage', inputs, stackFile);
  }

  restore(inputs: Inputs = {}): Promise<ActionResult> {
    return this.#run('pg-restore', { timeout: '10m', ...inputs }, PGBACKREST_STACK);
  }

  /** A step of an action, ready to be run. */
  step(action: string, inputs: Inputs = {}): ActionStep {
    const step = this.site.step(action, { ...WITHOUT_KEY, ...inputs });
    step.write('perlstack.yml', PGBACKREST_STACK);
    return step;
  }

  #run(action: string, inputs: Inputs, stackFile: string): Promise<ActionResult> {
    return this.site.run(action, { ...WITHOUT_KEY, ...inputs }, stackFile);
  }

  sql(query: string, host = PRIMARY): Promise<string> {
    return this.site.sql(host, query, 'shop');
  }

  /** Objects of the repository, by a part of their keys. */
  async objects(part = ''): Promise<ObjectSeen[]> {
    return (await this.site.bucket.list('shop/pgbackrest/')).filter(({ key }) => key.includes(part));
  }

  /** Segments that wait to be archived. */
  readonly waiting = (): Promise<string> =>
    this.sql("SELECT count(*) FROM pg_ls_archive_statusdir() WHERE name LIKE '%.ready'");

  async close(): Promise<void> {
    await this.site.close();
    await rm(this.#folder, { recursive: true, force: true });
  }
}
