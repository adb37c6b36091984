import { randomUUID } from 'node:crypto';
import { CreateBucketCommand, PutBucketVersioningCommand } from '@aws-sdk/client-s3';
import { type ConfigBundle, render } from '@perlstack/configs';
import type { Consent, ConvergePlan } from '@perlstack/converge';
import type { ObjectStorage, ObjectStorageOptions } from '@perlstack/local-cloud';
import { openStorage, type Storage } from '@perlstack/object-storage';
import { parseStack } from '@perlstack/stack';
import { ActionStep, type Ended, type StepOptions } from './action-step.js';
import { converge, look } from './converging.js';
import { type HostsSite, openHosts } from './hosts-site.js';

export const PRIMARY = 'database-1';
export const REPLICA = 'database-2';
export const STACK = `
stack: shop
region: us-ord
app: {}
tiers:
  web: { type: g6-nanode-1, count: 1 }
  app: { type: g6-nanode-1, count: 1 }
  database: { type: g6-standard-1, count: 2 }
backups: { bucket: shop-backups }
`;

/** All that Redis and Sentinel take in a password. */
export const REDIS_PASSWORD = 'aZ09!#$%&()*+,-./:;<=>?@[\\]^_`{|}~';

const SECRETS = {
  ...{ DATABASE_PASSWORD: 'of-the-database', REPLICATION_PASSWORD: 'of-the-replicas' },
  REDIS_PASSWORD,
};

export interface BackupSiteOptions extends ObjectStorageOptions {
  /** What is converged of the rendered services. */
  readonly services?: readonly string[];
}

/** What an action left, and how it ended. */
export interface ActionResult extends Ended {
  readonly outputs: Readonly<Record<string, string>>;
  readonly summary: string;
  readonly written: Readonly<Record<string, string>>;
}

/** PostgreSQL, or other services, on hosts of its own, beside a real object storage. */
export class BackupSite {
  readonly hosts: HostsSite;
  readonly storage: ObjectStorage;
  /** The bucket, for its owner. */
  readonly bucket: Storage;
  readonly stackFile: string;
  readonly services: readonly string[];
  /** A pair of age. */
  readonly age: { readonly recipient: string; readonly identity: string };

  private constructor(
    parts: Pick<BackupSite, 'hosts' | 'storage' | 'bucket' | 'stackFile' | 'services' | 'age'>,
  ) {
    this.hosts = parts.hosts;
    this.storage = parts.storage;
    this.bucket = parts.bucket;
    this.stackFile = parts.stackFile;
    this.services = parts.services;
    this.age = parts.age;
  }

  /** Boots hosts and storage, makes the bucket, and converges PostgreSQL, or the services that are named. */
  static async open(
    stackFile: string,
    { services = ['postgresql'], ...options }: BackupSiteOptions = {},
  ): Promise<BackupSite> {
    const hosts = await openHosts(stackFile, { outbound: true });
    const store = async () => {
      const storage = await hosts.cloud.startObjectStorage(options);
      return { storage, bucket: await makeBucket(hosts, storage, 'shop-backups') };
    };
    try {
      const bundle = bundleOf(hosts, stackFile, services);
      // Neither needs the other, and each waits much of its time.
      const [stored] = await Promise.all([store(), converge(hosts.remote, bundle)]);
      const age = await makePair(hosts, bundle.hosts[0]?.host ?? '');
      return new BackupSite({ hosts, ...stored, stackFile, services, age });
    } catch (error) {
      await hosts.close();
      throw error;
    }
  }

  /** @param secrets beside those of PostgreSQL */
  bundle(stackFile = this.stackFile, secrets: Readonly<Record<string, string>> = {}): ConfigBundle {
    return bundleOf(this.hosts, stackFile, this.services, secrets);
  }

  look(bundle = this.bundle(), consent: Partial<Consent> = {}): Promise<ConvergePlan> {
    return look(this.hosts.remote, bundle, consent);
  }

  async converge(consent: Partial<Consent> = {}, bundle = this.bundle()): Promise<ConvergePlan> {
    return (await converge(this.hosts.remote, bundle, consent)).planned;
  }

  /** Makes another bucket, for its owner. */
  async makeBucket(name: string, keeps: 'versions' | 'locks'): Promise<Storage> {
    const bucket = await makeBucket(this.hosts, this.storage, name, keeps === 'locks');
    const VersioningConfiguration = { Status: 'Enabled' } as const;
    if (keeps === 'versions')
      await bucket.ask('switching versions on', (client) =>
        client.send(new PutBucketVersioningCommand({ Bucket: name, VersioningConfiguration })),
      );
    return bucket;
  }

  sql(host: string, query: string, database = 'postgres'): Promise<string> {
    return this.hosts.ask(
      host,
      `cd / && runuser -u postgres -- psql -XAtq -d ${database} <<'SQL'\n${query}\nSQL`,
    );
  }

  /** An action's step, ready to be run inside the cloud's internet, or wherever the options say. */
  step(action: string, inputs: Readonly<Record<string, string>> = {}, options: StepOptions = {}): ActionStep {
    const given = {
      inventory: JSON.stringify(this.hosts.inside),
      'ssh-private-key': this.hosts.privateKey,
      endpoint: this.storage.endpoint,
      'access-key-id': this.storage.accessKeyId,
      'secret-access-key': this.storage.secretAccessKey,
      ...inputs,
    };
    const step = new ActionStep(action, given, { prefix: this.hosts.cloud.inInternet([]), ...options });
    step.write('perlstack.yml', this.stackFile);
    return step;
  }

  async run(
    action: string,
    inputs: Readonly<Record<string, string>> = {},
    stackFile = this.stackFile,
  ): Promise<ActionResult> {
    const step = this.step(action, inputs);
    step.write('perlstack.yml', stackFile);
    try {
      const ended = await step.run();
      const outputs = step.entries('OUTPUT');
      return { ...ended, outputs, summary: step.runnerFile('STEP_SUMMARY'), written: step.written() };
    } finally {
      step.remove();
    }
  }

  backup(inputs: Readonly<Record<string, string>> = {}): Promise<ActionResult> {
    return this.run('pg-backup-to-object-storage', { 'age-recipient': this.age.recipient, ...inputs });
  }

  restore(inputs: Readonly<Record<string, string>> = {}): Promise<ActionResult> {
    return this.run('pg-restore', { 'age-identity': this.age.identity, timeout: '10m', ...inputs });
  }

  async close(): Promise<void> {
    this.bucket.close();
    await this.hosts.close();
  }
}

function bundleOf(
  hosts: HostsSite,
  stackFile: string,
  services: readonly string[],
  secrets: Readonly<Record<string, string>> = {},
): ConfigBundle {
  const { stack } = parseStack(stackFile, 'perlstack.yml');
  const bundle = render(stack, hosts.inventory, { secrets: { ...SECRETS, ...secrets } });
  const rendered = bundle.hosts.map((host) => ({
    ...{ ...host, users: [] },
    services: host.services.filter(({ name }) => services.includes(name)),
  }));
  return { ...bundle, hosts: rendered.filter((host) => host.services.length > 0) };
}

/** @param packer a host that has age */
async function makePair({ ask }: HostsSite, packer: string): Promise<BackupSite['age']> {
  const file = `/run/${randomUUID()}`;
  const text = await ask(packer, `age-keygen -o ${file} 2> /dev/null; cat ${file}; rm -f ${file}`);
  const recipient = /age1\S+/.exec(text)?.[0] ?? '';
  const identity = /AGE-SECRET-KEY-1\S+/.exec(text)?.[0] ?? '';
  return { recipient, identity };
}

/** Through a tunnel: a test's own process is not in the cloud's internet. */
async function makeBucket(
  hosts: HostsSite,
  storage: ObjectStorage,
  name: string,
  ObjectLockEnabledForBucket = false,
): Promise<Storage> {
  const { hostname, port } = new URL(storage.endpoint);
  const { accessKeyId, secretAccessKey, region } = storage;
  const endpoint = `http://127.0.0.1:${await hosts.tunnels.to(hostname, Number(port))}`;
  const bucket = openStorage({ ...{ endpoint, region, bucket: name }, accessKeyId, secretAccessKey });
  await bucket.ask('making it', (client) =>
    client.send(new CreateBucketCommand({ Bucket: name, ObjectLockEnabledForBucket })),
  );
  return bucket;
}
