import { gate } from '@perlstack/health';
import type { RunOptions } from '@perlstack/remote';
import { hostScript, OBSERVE, OBSERVE_WEB } from './scripts.js';
import { type Site, socketProbes } from './site.js';
import type { AppHostState, Holder, Observed, WebHostState } from './world.js';

const LIMIT_MS = 60_000;

/** Looks at every host of a deploy, all at once: one command a host, and one more where the wanted release serves already. */
export async function observe(site: Site, release: string, signal?: AbortSignal): Promise<Observed> {
  const options: RunOptions = {
    sudo: true,
    name: 'observing',
    timeoutMs: LIMIT_MS,
    ...(signal ? { signal } : {}),
  };
  const onApp = async (host: string) => {
    const { stdout } = await site.remote.script(host, hostScript(site, OBSERVE), [], options);
    const { lock, ...state } = parseAppHost(host, stdout);
    return { lock, state: { ...state, ...(await complaintOf(site, state, release, signal)) } };
  };
  const onWeb = async (host: string): Promise<WebHostState> => {
    const { stdout } = await site.remote.script(host, OBSERVE_WEB, [], options);
    return { host, down: stdout.split('\n').filter((line) => line !== '') };
  };
  const [app, web] = await Promise.all([
    Promise.all(site.appHosts.map((host) => onApp(host.name))),
    Promise.all(site.webHosts.map((host) => onWeb(host.name))),
  ]);
  const lock = app.find(({ state }) => state.host === site.lockHost)?.lock ?? null;
  return { app: app.map(({ state }) => state), web, lock };
}

/** Only a release that serves already is asked for its health: the others are proven after they booted. */
async function complaintOf(
  site: Site,
  state: AppHostState,
  release: string,
  signal?: AbortSignal,
): Promise<Pick<AppHostState, 'complaint'>> {
  if (state.serving !== release) return {};
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
export function parseAppHost(host: string, output: string): AppHostState & { lock: Holder | null } {
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
    releases: all('release').map(([id = '', sha256, good, bad, at]) => ({
      id,
      sha256: sha256 === undefined || sha256 === '-' ? null : sha256,
      good: good === '1',
      bad: bad === '1',
      unpackedAt: Number(at),
    })),
    partials: all('partial').map(([name = '']) => name),
    instances: all('instance').map(([id = '', properties = '']) => instanceOf(id, properties)),
    enabled: all('enabled').map(([id = '']) => id),
    memoryAvailable: Number(one('memory')),
    diskAvailable: Number(one('disk')),
    inFlight: Number(one('inflight') || 0),
    lock: lock ? holderOf(lock[1] ?? '', Number(lock[0])) : null,
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
    const { owner, url, release, since } = JSON.parse(text) as Record<string, unknown>;
    const word = (value: unknown): string => (typeof value === 'string' ? value : '?');
    return {
      owner: word(owner),
      url: typeof url === 'string' ? url : null,
      release: word(release),
      since: word(since),
      silentSeconds,
    };
  } catch {
    return { owner: '?', url: null, release: '?', since: '?', silentSeconds };
  }
}
