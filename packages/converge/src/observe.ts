import type { ConfigBundle, HostBundle } from '@perlstack/configs';
import type { Remote } from '@perlstack/remote';
import { type AnyEngine, ENGINES, observeEngines } from './engines.js';
import { explainBusy } from './explain.js';
import { STATE_FOLDER } from './layout.js';
import { OBSERVE_SCRIPT } from './observe-script.js';
import { decodeContent, decodeRecords, encodeRecords, type Fields, sha256 } from './records.js';
import type {
  Observed,
  ObservedDirectory,
  ObservedFile,
  ObservedHost,
  ObservedUnit,
  ObservedUser,
  Remembered,
} from './world.js';

/** A host whose disk or login hangs must not hang the run. */
const OBSERVE_TIMEOUT_MS = 120_000;

export interface ObserveOptions {
  readonly signal?: AbortSignal;
}

/** Looks at every host of the bundle, all at once, each with one script; then each engine at its own. Writes nothing. */
export async function observe(
  remote: Remote,
  bundle: ConfigBundle,
  options: ObserveOptions = {},
  engines: readonly AnyEngine[] = ENGINES,
): Promise<Observed> {
  const looking = new Map(bundle.hosts.map((host) => [host.host, observeHost(remote, host, options)]));
  const [hosts, seen] = await Promise.all([
    Promise.all([...looking].map(async ([name, host]) => [name, await host] as const)),
    observeEngines(remote, bundle, engines, looking, options),
  ]);
  return { hosts: Object.fromEntries(hosts), engines: seen };
}

async function observeHost(remote: Remote, host: HostBundle, options: ObserveOptions): Promise<ObservedHost> {
  const settings = { name: 'observing', sudo: true, timeoutMs: OBSERVE_TIMEOUT_MS, ...options };
  const input = encodeRecords(questions(host));
  const looking = remote.script(host.host, OBSERVE_SCRIPT, [STATE_FOLDER], { ...settings, input });
  return readAnswers((await looking.catch(explainBusy)).stdout);
}

/** What the script is asked about a host. */
export function questions({ users, services }: HostBundle): Fields[] {
  const records: Fields[] = users.map(({ name }) => ['user', name]);
  for (const { name, packages, directories, presets = [], files, removes, unit } of services) {
    records.push(
      ['service', name],
      ...packages.map((item): Fields => ['package', item]),
      ...directories.map(({ path }): Fields => ['directory', path]),
      ...[...presets, ...files].map(({ path, content, secret }): Fields => [
        'file',
        path,
        secret ? 'secret' : sha256(content),
      ]),
      ...removes.map((path): Fields => ['unwanted', path]),
      ...(unit ? [['unit', unit.name] as Fields] : []),
    );
  }
  return records;
}

/** States of a unit file in which it needs no `systemctl enable`, or cannot have one. */
const ENABLED = new Set(['enabled', 'static', 'indirect', 'alias', 'generated']);

/** @throws Error when the script's output is not complete or not its own. */
export function readAnswers(output: string): ObservedHost {
  const packages: string[] = [];
  const users: Record<string, ObservedUser> = {};
  const directories: Record<string, ObservedDirectory> = {};
  const files: Record<string, ObservedFile> = {};
  const unwanted: string[] = [];
  const units: Record<string, ObservedUnit> = {};
  const inForce: Record<string, string> = {};
  const remembered: Record<string, Remembered> = {};
  const underWay: string[] = [];
  let leftovers = false;
  for (const [kind = '', name = '', a = '', b = '', c = '', d = '', e = ''] of decodeRecords(output)) {
    switch (kind) {
      case 'package':
        packages.push(name);
        break;
      case 'user':
        users[name] = { home: a, shell: b, groups: c.split(' ') };
        break;
      case 'directory':
        directories[name] = { owner: a, group: b, mode: parseInt(c, 8) };
        break;
      case 'other-directory':
        directories[name] = 'not-a-directory';
        break;
      case 'file':
        files[name] = {
          ...{ owner: a, group: b, mode: parseInt(c, 8), sha256: d },
          ...(e === '?' ? {} : { content: decodeContent(e) }),
        };
        break;
      case 'other-file':
        files[name] = 'not-a-file';
        break;
      case 'unwanted':
        unwanted.push(name);
        break;
      case 'unit':
        units[name] = { enabled: ENABLED.has(a), active: b === 'active' || b === 'reloading' };
        break;
      case 'in-force':
        inForce[name] = a;
        break;
      case 'remembered':
        remembered[name] = a === '-' ? 'absent' : { owner: b, group: c, mode: parseInt(d, 8), sha256: a };
        break;
      case 'under-way':
        underWay.push(name);
        break;
      case 'leftovers':
        leftovers = true;
        break;
      default:
        throw new Error(`Unknown answer of the observing script: ${kind}`);
    }
  }
  return { packages, users, directories, files, unwanted, units, inForce, remembered, underWay, leftovers };
}
