import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type ConfigBundle, type ManagedFile, render, type ServiceConfig } from '@perlstack/configs';
import type { Consent, ConvergePlan } from '@perlstack/converge';
import type { Outcome } from '@perlstack/procedure';
import { deploy, type DeployResult } from '@perlstack/release';
import { parseStack } from '@perlstack/stack';
import { attempt, converge, look } from './converging.js';
import { type HostsOptions, type HostsSite, openHosts } from './hosts-site.js';
import { type LoadHandle, startLoad } from './load-handle.js';
import type { LoadConfig } from './load-run.js';
import { packShop } from './shop.js';

const run = promisify(execFile);

export const DOMAIN = 'shop.example.com';
const SECRETS = {
  DATABASE_PASSWORD: 'of-the-database',
  REPLICATION_PASSWORD: 'of-the-replicas',
  REDIS_PASSWORD: 'of-the-cache',
};

const OWNER = { id: 'run-1', url: 'https://ci.example/run-1' };

/** What a site may have otherwise. */
export interface StackSiteOptions extends HostsOptions {
  /** Secrets of the application, by name. */
  readonly secrets?: Readonly<Record<string, string>>;
}

interface Certificate {
  readonly certificate: string;
  readonly privateKey: string;
  /** Certificate of who vouches for it. */
  readonly ca: string;
}

/** A whole stack on hosts of its own: what is rendered, converged and deployed, by the ways that the actions go. */
export class StackSite {
  readonly hosts: HostsSite;
  readonly #stackFile: string;
  readonly #secrets: Readonly<Record<string, string>>;
  readonly #tls: Certificate;
  #load: LoadHandle | undefined;
  #loads = 0;
  #release: string | undefined;

  private constructor(
    hosts: HostsSite,
    stackFile: string,
    tls: Certificate,
    secrets: Readonly<Record<string, string>>,
  ) {
    this.hosts = hosts;
    this.#stackFile = stackFile;
    this.#secrets = { ...SECRETS, ...secrets };
    this.#tls = tls;
  }

  /** Boots the hosts of a stack file; nothing is on them. */
  static async open(stackFile: string, options: StackSiteOptions = {}): Promise<StackSite> {
    const { secrets = {}, ...more } = options;
    const hosts = await openHosts(stackFile, more);
    return new StackSite(hosts, stackFile, await certify(hosts.folder), secrets);
  }

  /** @param edits replacements in the stack file, old and new text */
  bundle(...edits: readonly (readonly [string, string])[]): ConfigBundle {
    const text = edits.reduce((file, [old, now]) => {
      if (!file.includes(old)) throw new Error(`The stack file has no "${old}"`);
      return file.replace(old, now);
    }, this.#stackFile);
    const { stack } = parseStack(text, 'perlstack.yml');
    return render(stack, this.hosts.inventory, { secrets: this.#secrets, tls: this.#tls });
  }

  look(bundle: ConfigBundle, consent: Partial<Consent> = {}): Promise<ConvergePlan> {
    return look(this.hosts.remote, bundle, consent);
  }

  async try(bundle: ConfigBundle, consent: Partial<Consent> = {}): Promise<Outcome> {
    return (await attempt(this.hosts.remote, bundle, consent)).outcome;
  }

  /** @throws Error when anything fails, or is refused. */
  async converge(bundle: ConfigBundle, consent: Partial<Consent> = {}): Promise<Outcome> {
    return (await converge(this.hosts.remote, bundle, consent)).outcome;
  }

  /** @param archive path of the release; by default one of the sample shop is packed */
  async deploy(release: string, archive?: string): Promise<DeployResult> {
    const { stack, inventory, remote, folder } = this.hosts;
    const artifact = { path: archive ?? (await packShop({ release, directory: folder })) };
    const result = await deploy({ stack, inventory, remote, release, artifact, owner: OWNER });
    this.#release = release;
    return result;
  }

  /** Back to the release before. */
  async rollback(): Promise<DeployResult> {
    const { stack, inventory, remote } = this.hosts;
    const result = await deploy({ stack, inventory, remote, owner: OWNER });
    this.#release = result.release;
    return result;
  }

  get release(): string {
    if (this.#release === undefined) throw new Error('Nothing was deployed');
    return this.#release;
  }

  /** File with the certificate of who vouches for the site. */
  get caFile(): string {
    return join(this.hosts.folder, 'ca.crt');
  }

  /** Visitors of all web hosts, by name and over TLS. */
  startLoad(more: Partial<LoadConfig> = {}): LoadHandle {
    const webs = this.hosts.inventory.hosts.filter(({ tier }) => tier === 'web');
    const config = {
      urls: webs.map(({ publicAddress }) => `https://${publicAddress}`),
      clients: { get: 3, post: 3, 'slow-get': 2, 'slow-post': 2, visit: 3 },
      ...{ slowMs: 1_000, host: DOMAIN, ca: this.#tls.ca },
      // Orders of an earlier load are others.
      prefix: `load-${(this.#loads += 1)}`,
      ...more,
    };
    this.#load = startLoad(config, (argv) => this.hosts.cloud.inInternet(argv));
    return this.#load;
  }

  /** Asks a web host from the internet; status and body. */
  async visit(host: string, url: string): Promise<string> {
    const found = this.hosts.inventory.hosts.find(({ name }) => name === host);
    const { hostname, port, protocol } = new URL(url);
    const way = `${hostname}:${port || (protocol === 'https:' ? 443 : 80)}:${found?.publicAddress}`;
    const curl = [
      'curl',
      '-sS',
      '-m',
      '10',
      '--cacert',
      this.caFile,
      '--resolve',
      way,
      '-w',
      '\\n%{http_code}',
      url,
    ];
    const [command = '', ...args] = this.hosts.cloud.inInternet(curl);
    return (await run(command, args)).stdout.trim();
  }

  /**
   * What the init of every host did to the stack's units, how often Redis and PostgreSQL were told something, and when
   * which file was written: the same text twice means that nothing happened in between.
   */
  async traces(): Promise<Readonly<Record<string, string>>> {
    const { inventory } = this.hosts;
    const entries = inventory.hosts.map(
      async ({ name }) => [name, await this.hosts.ask(name, TRACES)] as const,
    );
    return Object.fromEntries(await Promise.all(entries));
  }

  async close(): Promise<void> {
    await this.#load?.close();
    await this.hosts.close();
  }
}

const UNITS = "ssh.service nftables.service nginx.service 'postgresql@*' 'redis-*' 'shop@*'";
const TRACES = `
systemctl show -p Id,InvocationID,ActiveEnterTimestamp,StateChangeTimestamp,NRestarts,MainPID ${UNITS} | sort
for unit in ${UNITS}; do journalctl -q -o cat _PID=1 -u "$unit" | wc -l; done
journalctl -q -o cat -u 'postgresql@*' | grep -c SIGHUP || :
find /etc /usr/local /srv /var/lib/perlstack -not -path '*/converge/lock' -type f -printf '%p %T@ %C@ %i\\n' | sort`;

/** A certificate for the site by an authority made for the occasion, which nobody else trusts. */
async function certify(folder: string): Promise<Certificate> {
  const at = (name: string): string => join(folder, name);
  const openssl = (...args: string[]): Promise<unknown> => run('openssl', args, { cwd: folder });
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  await openssl(
    'req',
    '-x509',
    ...curve,
    '-keyout',
    'ca.key',
    '-out',
    'ca.crt',
    '-days',
    '2',
    '-subj',
    '/CN=Test CA',
  );
  await openssl('req', ...curve, '-keyout', 'site.key', '-out', 'site.csr', '-subj', `/CN=${DOMAIN}`);
  await writeFile(at('site.ext'), `subjectAltName=DNS:${DOMAIN}\n`);
  const by = ['-CA', 'ca.crt', '-CAkey', 'ca.key', '-CAcreateserial'];
  await openssl(
    'x509',
    '-req',
    '-in',
    'site.csr',
    ...by,
    '-out',
    'site.crt',
    '-days',
    '2',
    '-extfile',
    'site.ext',
  );
  const [certificate, privateKey, ca] = await Promise.all(
    ['site.crt', 'site.key', 'ca.crt'].map((name) => readFile(at(name), 'utf8')),
  );
  return { certificate: certificate ?? '', privateKey: privateKey ?? '', ca: ca ?? '' };
}

/** A service of a host in a bundle. */
export function serviceOf(bundle: ConfigBundle, host: string, name: string): ServiceConfig {
  const found = bundle.hosts
    .find((candidate) => candidate.host === host)
    ?.services.find((service) => service.name === name);
  if (!found) throw new Error(`The bundle has no service ${name} on ${host}`);
  return found;
}

/** A file of a host in a bundle; by the end of its path. */
export function fileOf(bundle: ConfigBundle, host: string, path: string): ManagedFile {
  const files = bundle.hosts
    .filter((candidate) => candidate.host === host)
    .flatMap(({ services }) => services.flatMap((service) => service.files));
  const found = files.find((file) => file.path.endsWith(path));
  if (!found)
    throw new Error(`The bundle has no ${path} on ${host}: ${files.map((file) => file.path).join(' ')}`);
  return found;
}
