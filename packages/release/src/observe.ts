import { gate } from '@perlstack/health';
import { ConnectError, RemoteError, type RunOptions } from '@perlstack/remote';
import { messageOf } from '@perlstack/stack';
import { mergeAudits } from './audit.js';
import { APP_FACTS, type AppFacts, appFactsOf, decode, WEB_FACTS, type WebFacts } from './preflight/facts.js';
import { hostScript, OBSERVE, OBSERVE_WEB } from './scripts.js';
import { type Site, socketProbes } from './site.js';
import type { AppHostState, Holder, Observed, Unreachable, WebHostState } from './world.js';

const LIMIT_MS = 60_000;

/**
 * Looks at every host of a deploy, all at once: one command a host, and one more where the wanted release serves already. A
 * host that cannot be reached is a finding, not a failure.
 *
 * @param release id of the wanted release; undefined when that depends on what is found
 */
export async function observe(
  site: Site,
  release: string | undefined,
  signal?: AbortSignal,
): Promise<Observed> {
  const options: RunOptions = {
    sudo: true,
    name: 'observing',
    timeoutMs: LIMIT_MS,
    ...(signal ? { signal } : {}),
  };
  const onApp = async (host: string) => {
    const { stdout } = await site.remote.script(host, hostScript(site, OBSERVE + APP_FACTS), [], options);
    const { lock, audit, facts, ...state } = parseAppHost(host, stdout);
    return { lock, audit, facts, state: { ...state, ...(await complaintOf(site, state, release, signal)) } };
  };
  const onWeb = async (host: string): Promise<{ state: WebHostState; facts: WebFacts }> => {
    const { stdout } = await site.remote.script(host, OBSERVE_WEB + WEB_FACTS, [], options);
    return parseWebHost(host, stdout);
  };
  const [app, web] = await Promise.all([
    Promise.all(site.appHosts.map((host) => reached('app', host.name, onApp(host.name)))),
    Promise.all(site.webHosts.map((host) => reached('web', host.name, onWeb(host.name)))),
  ]);
  const seen = app.flatMap(({ found }) => found ?? []);
  return {
    app: seen.map(({ state }) => state),
    web: web.flatMap(({ found }) => found?.state ?? []),
    facts: {
      app: seen.map(({ facts }) => facts),
      web: web.flatMap(({ found }) => found?.facts ?? []),
    },
    unreachable: [...app, ...web].flatMap(({ unreachable }) => unreachable ?? []),
    audit: mergeAudits(seen.map(({ audit }) => audit)),
    locks: seen.flatMap(({ state: { host }, lock }) => (lock === null ? [] : [{ ...lock, host }])),
  };
}

/** The same hosts, asked for the health of a release that was chosen only after they were looked at. */
export async function askAgain(
  site: Site,
  observed: Observed,
  release: string,
  signal?: AbortSignal,
): Promise<Observed> {
  const asking = observed.app.map(async (host) => ({
    ...host,
    ...(await complaintOf(site, host, release, signal)),
  }));
  return { ...observed, app: await Promise.all(asking) };
}

/** A host that is gone, or goes while it is looked at. */
async function reached<T>(
  tier: Unreachable['tier'],
  host: string,
  looking: Promise<T>,
): Promise<{ found?: T; unreachable?: Unreachable }> {
  try {
    return { found: await looking };
  } catch (error) {
    if (!isOutOfReach(error)) throw error;
    return { unreachable: { host, tier, reason: messageOf(error).replace(/[^.!?]$/, '$&.') } };
  }
}

/** Whether an error says that a host is not there, rather than that something on it went wrong. */
export function isOutOfReach(error: unknown): boolean {
  if (error instanceof ConnectError) return error.reason === 'unreachable';
  return error instanceof RemoteError && (error.reason === 'lost' || error.reason === 'timeout');
}

/** Only a release that serves already is asked for its health: the others are proven after they booted. */
async function complaintOf(
  site: Site,
  state: Pick<AppHostState, 'host' | 'serving'>,
  release: string | undefined,
  signal?: AbortSignal,
): Promise<Pick<AppHostState, 'complaint'>> {
  if (release === undefined || state.serving !== release) return {};
  const verdict = await gate({
    probes: socketProbes(site, state.host, release),
    successes: 1,
    intervalMs: site.timings.intervalMs,
    timeoutMs: 3_000,
    remote: site.remote,
    ...(signal ? { signal } : {}),
  });
  return { complaint: verdict.passed ? null : verdict.reason };
}

type Lines = readonly (readonly string[])[];

/** What the script printed: a word and its values a line, separated by tabs. */
export function parseAppHost(
  host: string,
  output: string,
): AppHostState & { lock: Holder | null; audit: string[]; facts: AppFacts } {
  const lines: Lines = output.split('\n').map((line) => line.split('\t'));
  const all = (word: string): Lines =>
    lines.filter(([first]) => first === word).map(([, ...values]) => values);
  const one = (word: string): string => all(word)[0]?.[0] ?? '';
  const lock = all('lock')[0];
  return {
    host,
    configured: one('user') !== '' && one('template') === '1',
    current: one('current') || null,
    serving: one('serving') || null,
    previous: one('previous') || null,
    releases: all('release').map(([id = '', sha256, good, bad, at, migrated, bytes, tree]) => ({
      id,
      sha256: sha256 === undefined || sha256 === '-' ? null : sha256,
      good: good === '1',
      bad: bad === '1',
      unpackedAt: Number(at),
      migrated: migrated === '1',
      bytes: bytesOf(bytes),
      tree: tree || null,
    })),
    modules: all('module').map(([key = '', bytes]) => ({ key, bytes: bytesOf(bytes) })),
    partials: all('partial').map(([name = '']) => name),
    instances: all('instance').map(([id = '', properties = '']) => instanceOf(id, properties)),
    enabled: all('enabled').map(([id = '']) => id),
    memoryAvailable: Number(one('memory')),
    diskAvailable: Number(one('disk')),
    refusing: one('refusing') === '' ? null : one('refusing') !== '0',
    inFlight: Number(one('inflight') || 0),
    lock: lock ? holderOf(lock[1] ?? '', Number(lock[0])) : null,
    audit: all('audit').map(([line = '']) => line),
    facts: appFactsOf(host, one),
  };
}

/** As a host noted it. */
const bytesOf = (text: string | undefined): number | null => (/^\d+$/.test(text ?? '') ? Number(text) : null);

/** What the script prints on a web host: addresses that are left out, and nginx's configuration. */
function parseWebHost(host: string, output: string): { state: WebHostState; facts: WebFacts } {
  const lines = output.split('\n').filter((line) => line !== '');
  const nginx = lines.find((line) => line.startsWith('nginx '))?.slice('nginx '.length) ?? '';
  return {
    state: { host, down: lines.filter((line) => !line.startsWith('nginx ')) },
    facts: { host, nginx: decode(nginx) },
  };
}

function instanceOf(id: string, properties: string) {
  const property = (name: string): string => new RegExp(`${name}=(\\S*)`).exec(properties)?.[1] ?? '';
  const memory = Number(property('MemoryCurrent'));
  return {
    id,
    active: property('ActiveState'),
    sub: property('SubState'),
    restarts: Number(property('NRestarts') || 0),
    memory: Number.isFinite(memory) && memory > 0 && memory < 2 ** 62 ? memory : null,
  };
}

/** A lock as its file says it; a file that nobody can read is somebody's all the same. */
export function holderOf(text: string, silentSeconds: number): Holder {
  try {
    const { owner, actor, url, release, since } = JSON.parse(text) as Record<string, unknown>;
    const word = (value: unknown): string => (typeof value === 'string' ? value : '?');
    return {
      owner: word(owner),
      actor: typeof actor === 'string' ? actor : null,
      url: typeof url === 'string' ? url : null,
      release: word(release),
      since: word(since),
      silentSeconds,
    };
  } catch {
    return { owner: '?', actor: null, url: null, release: '?', since: '?', silentSeconds };
  }
}
