import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from '@jest/globals';
import { keysOf } from '@perlstack/backup';
import { REDIS, SENTINEL } from '@perlstack/configs';
import type { ActionStep, StepOptions } from './action-step.js';
import { type ActionResult, BackupSite } from './backup-site.js';

export const CACHES = ['cache-1', 'cache-2', 'cache-3'] as const;
export const SNAPSHOTS = keysOf('shop').redis;

export const stackOf = (image: string, cache: string): string => `
stack: shop
region: us-ord
image: ${image}
app: {}
tiers:
  web: { type: g6-nanode-1, count: 1 }
  app: { type: g6-nanode-1, count: 1 }
  cache: { type: g6-nanode-1, count: 3, ${cache} }
backups: { bucket: shop-backups }
`;

type Inputs = Readonly<Record<string, string>>;

/** A cache tier beside a real object storage, as it is backed up and brought back. */
export class RedisBackupSite {
  readonly site: BackupSite;

  private constructor(site: BackupSite) {
    this.site = site;
  }

  static async open(stackFile: string): Promise<RedisBackupSite> {
    return new RedisBackupSite(await BackupSite.open(stackFile, { services: ['redis', 'sentinel'] }));
  }

  backup(inputs: Inputs = {}): Promise<ActionResult> {
    return this.site.run('redis-backup-to-object-storage', {
      'age-recipient': this.site.age.recipient,
      ...inputs,
    });
  }

  restore(inputs: Inputs = {}): Promise<ActionResult> {
    return this.site.run('redis-restore', this.#restoring(inputs));
  }

  /** A restore's step, ready to be run. */
  restoring(inputs: Inputs, options: StepOptions = {}): ActionStep {
    return this.site.step('redis-restore', this.#restoring(inputs), options);
  }

  #restoring(inputs: Inputs): Inputs {
    return { 'age-identity': this.site.age.identity, timeout: '10m', ...inputs };
  }

  async #command(host: string, file: string, port: number, text: string): Promise<string> {
    const script = `{ cat ${file}; cat <<'REDIS'\n${text}\nREDIS\n} | redis-cli -p ${port} | tail -n +2`;
    return this.site.hosts.ask(host, script);
  }

  redis(host: string, text: string): Promise<string> {
    return this.#command(host, REDIS.passwordFile, REDIS.port, text);
  }

  sentinel(host: string, text: string): Promise<string> {
    return this.#command(host, SENTINEL.passwordFile, SENTINEL.port, text);
  }

  addressOf(host: string): string {
    return this.site.hosts.inventory.hosts.find(({ name }) => name === host)?.privateAddress ?? '';
  }

  async replication(host: string, key: string): Promise<string> {
    const info = await this.redis(host, 'INFO replication');
    return new RegExp(`^${key}:(.*?)\\r?$`, 'm').exec(info)?.[1] ?? '';
  }

  async eventually(ask: () => Promise<unknown>, wanted: unknown): Promise<void> {
    let answer: unknown;
    for (let tries = 0; tries < 120; tries += 1) {
      answer = await ask().catch(String);
      if (JSON.stringify(answer) === JSON.stringify(wanted)) return;
      await sleep(500);
    }
    const decided = `journalctl -o short-precise -u ${SENTINEL.unit} | grep -E '[+-](sdown|odown|switch-master|reboot)' || :`;
    const logs = await this.everywhere(
      `systemctl is-active ${REDIS.unit} || :; ${decided}; journalctl -o short-precise -n 15 -u ${REDIS.unit}`,
    );
    throw new Error(
      `${JSON.stringify(answer)}, not ${JSON.stringify(wanted)}\n${CACHES.map((host, at) => `${host}: ${logs[at]}`).join('\n')}`,
    );
  }

  /** No failover because a busy machine stands still for some seconds: until the Sentinels start again. */
  async haveSentinelsWait(): Promise<void> {
    for (const host of CACHES)
      expect(await this.sentinel(host, 'SENTINEL SET shop down-after-milliseconds 60000')).toBe('OK');
  }

  /** What a Sentinel makes of the primary, and how many others it knows. */
  async view(host: string): Promise<Readonly<Record<'flags' | 'replicas' | 'others', string | undefined>>> {
    const said = (await this.sentinel(host, 'SENTINEL MASTER shop')).split('\n');
    const of = (name: string): string | undefined => said[said.indexOf(name) + 1];
    return { flags: of('flags'), replicas: of('num-slaves'), others: of('num-other-sentinels') };
  }

  /** One primary, the others follow it, every Sentinel says so and knows of all, and a write reaches everybody. */
  async expectCluster(leader: string): Promise<void> {
    const replicas = CACHES.filter((host) => host !== leader);
    await this.eventually(() => this.replication(leader, 'role'), 'master');
    for (const host of replicas) {
      await this.eventually(() => this.replication(host, 'master_link_status'), 'up');
      expect(await this.replication(host, 'master_host')).toBe(this.addressOf(leader));
    }
    for (const host of CACHES) {
      const named = 'SENTINEL GET-MASTER-ADDR-BY-NAME shop';
      await this.eventually(
        async () => (await this.sentinel(host, named)).split('\n')[0],
        this.addressOf(leader),
      );
      await this.eventually(() => this.view(host), { flags: 'master', replicas: '2', others: '2' });
    }
    await this.eventually(() => this.redis(leader, 'SET mark yes\nWAIT 2 5000'), 'OK\n2');
  }

  /** On all cache hosts, one after the other. */
  async everywhere(script: string): Promise<string[]> {
    const said = [];
    for (const host of CACHES) said.push(await this.site.hosts.ask(host, script));
    return said;
  }

  close(): Promise<void> {
    return this.site.close();
  }
}
