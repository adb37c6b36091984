import { type ApiOptions, FULL_TOKEN, type LinodeApi, MemoryDriver, startApi } from '@perlstack/local-cloud';
import {
  type Clock,
  createClient,
  createReader,
  type LinodeClient,
  type LinodeReader,
} from '@perlstack/linode';
import { execute, type ExecuteOptions, type Outcome } from '@perlstack/procedure';
import { ConnectError, fingerprint, generateKeyPair, type Remote, type RunResult } from '@perlstack/remote';
import { type Host, type Inventory, parseStack, type StackFile } from '@perlstack/stack';
import { handlers } from './handlers.js';
import { observe } from './observe.js';
import { plan, type ProvisionPlan } from './plan.js';
import type { ProvisionTools } from './tools.js';

export const STACK = `stack: shop
region: us-ord
app: { name: shop }
tiers:
  web: { type: g6-nanode-1, count: 2 }
  app: { type: g6-standard-2, count: 3 }
`;

export const stackFile = (text: string = STACK): StackFile => parseStack(text, 'perlstack.yml');

export const USER_KEY = generateKeyPair('workflow').publicKey;

/** A clock whose time passes by sleeping only. */
export function quickClock(): Clock {
  let now = 0;
  return {
    now: () => now,
    async sleep(ms, signal) {
      signal?.throwIfAborted();
      now += ms;
      await new Promise((resolve) => setImmediate(resolve));
    },
  };
}

/** A simulated Linode with hosts of which only the host key is real. */
export interface TestCloud {
  readonly api: LinodeApi;
  readonly driver: MemoryDriver;
  readonly hosts: FakeHosts;
  readonly client: LinodeClient;
  readonly reader: LinodeReader;
  readonly tools: (file: StackFile) => ProvisionTools;
  /** Observes, plans and executes; plan and outcome. */
  apply(file?: StackFile, options?: ExecuteOptions): Promise<{ plan: ProvisionPlan; outcome: Outcome }>;
  /** `POST /vpcs` of every request that could change something, since the last call. */
  writes(): string[];
  close(): Promise<void>;
}

export async function testCloud(
  options: Partial<Pick<ApiOptions, 'tokens' | 'faults'>> = {},
): Promise<TestCloud> {
  const driver = new MemoryDriver();
  const api = await startApi({ driver, timeScale: 0, ...options });
  const clock = quickClock();
  const access = { token: (options.tokens?.[0] ?? FULL_TOKEN).token, baseUrl: api.url, clock };
  const client = createClient(access);
  const reader = createReader(access);
  const hosts = new FakeHosts(driver);
  const tools = ({ stack }: StackFile): ProvisionTools => {
    return { client, stack, sshPublicKey: USER_KEY, connect: (inventory) => hosts.connect(inventory), clock };
  };
  let counted = 0;
  return {
    ...{ api, driver, hosts, client, reader, tools },
    async apply(file = stackFile(), executeOptions = {}) {
      const made = plan(file, await observe(reader, file, { purpose: 'apply' }));
      return { plan: made, outcome: await execute(made.steps, handlers(tools(file)), executeOptions) };
    },
    writes() {
      const since = api.requests.slice(counted).filter(({ method }) => method !== 'GET');
      counted = api.requests.length;
      return since.map(({ method, path }) => `${method} ${path}`);
    },
    close: () => api.close(),
  };
}

/** Stands for sshd and the files of the rotation on each host; the driver's user data says which key it starts with. */
export class FakeHosts {
  readonly #driver: MemoryDriver;
  readonly #keys = new Map<string, { active: string; beside: string | null; installed: boolean }>();
  /** `web-1 PREPARE`, `app-1 via web-1 verify`: what was done over SSH. */
  readonly log: string[] = [];
  /** How many connections still meet the old key after a reload. */
  lateReloads = 0;
  #stale: string | null = null;
  /** Called before each command; throws to break the line. */
  before: (command: string) => void = () => undefined;

  constructor(driver: MemoryDriver) {
    this.#driver = driver;
  }

  /** The key that a host shows now. */
  shown(label: string): string {
    return this.#key(label).active;
  }

  forge(label: string): void {
    this.#key(label).active = fingerprint(generateKeyPair().publicKey);
  }

  connect(inventory: Inventory): Remote {
    const command = async (name: string, what: string): Promise<RunResult> =>
      this.#command(inventory, name, what);
    return {
      run: (host) => command(host, 'verify'),
      script: (host, _script, _args, options) =>
        command(host, options?.name === 'host key' ? 'PREPARE' : 'INSTALL'),
      upload: () => Promise.reject(new Error('nothing is uploaded')),
      warm: () => undefined,
      reach: () => Promise.reject(new Error('no host is reached anew')),
      hostKeys: () => Promise.reject(new Error('no host keys are read')),
      counters: () => ({ connections: 0, retries: 0, commands: 0 }),
      close: () => Promise.resolve(),
    };
  }

  #command(inventory: Inventory, name: string, what: string): RunResult {
    const host = inventory.hosts.find((one) => one.name === name);
    const via = inventory.hosts.find((one) => one.name === host?.ssh.via);
    if (!host) throw new Error(`${name} is not in the inventory`);
    this.before(`${name} ${what}`);
    for (const one of via ? [via, host] : [host]) this.#meet(inventory.stack, one);
    this.log.push(`${name}${via ? ` via ${via.name}` : ''} ${what}`);
    return {
      code: 0,
      stdout: this.#effect(this.#key(`${inventory.stack}-${name}`), what),
      stderr: '',
      truncated: false,
    };
  }

  #meet(stack: string, host: Host): void {
    const key = this.#stale ?? this.shown(`${stack}-${host.name}`);
    if (this.#stale && (this.lateReloads -= 1) <= 0) this.#stale = null;
    if (!host.ssh.hostKeys.includes(key)) {
      throw new ConnectError(
        host.name,
        'wrong-host-key',
        `${host.name} offered ${key}, accepted is ${host.ssh.hostKeys.join(' or ')}`,
      );
    }
  }

  #effect(key: { active: string; beside: string | null; installed: boolean }, what: string): string {
    if (what === 'PREPARE') {
      if (key.installed) return `256 ${key.active} no comment (ED25519)\n`;
      key.beside ??= fingerprint(generateKeyPair().publicKey);
      return `256 ${key.beside} no comment (ED25519)\n`;
    }
    if (what === 'INSTALL' && !key.installed) {
      if (!key.beside) throw new Error('there is no prepared key');
      if (this.lateReloads > 0) this.#stale = key.active;
      key.active = key.beside;
      key.installed = true;
    }
    return '';
  }

  #key(label: string) {
    const known = this.#keys.get(label);
    if (known) return known;
    const host = [...this.#driver.hosts.values()].find(({ spec }) => spec.label === label);
    if (!host?.running) throw new ConnectError(label, 'unreachable', `${label} cannot be reached`);
    const [, line = ''] = /ed25519_public: "(.*)"/.exec(host.spec.userData ?? '') ?? [];
    const key = { active: fingerprint(line), beside: null, installed: false };
    this.#keys.set(label, key);
    return key;
  }
}
