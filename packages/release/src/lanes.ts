import { type AppHostState, isLive, type Observed } from './world.js';

/** What is to happen on one app host. */
export interface Lane {
  readonly host: AppHostState;
  /** It runs the release already, healthy and proven. */
  readonly done: boolean;
  /** It serves the release, which held, and does not answer as it should: its instance is started anew. */
  readonly ill: boolean;
  /** A web host leaves it out: an earlier deploy could not reach it. */
  readonly down: boolean;
  /** It refuses connections: an earlier deploy was killed while it was drained. */
  readonly refusing: boolean;
  /** The release to go back to. */
  readonly from: string | null;
}

/**
 * @param addresses address and port by which the web tier knows each app host
 */
export function lanesOf(
  release: string,
  addresses: Readonly<Record<string, string>>,
  observed: Observed,
): Lane[] {
  const good = goodReleases(observed);
  return observed.app.map((host) => {
    const ill = isIll(host, release, good);
    return {
      ...{ host, ill },
      down: isLeftOut(host.host, addresses, observed),
      refusing: host.refusing === true,
      done: isDone(host, release),
      // Where the release has held, nobody goes back from it because one host is ill.
      from: ill ? release : fallbackOf(host, release, good),
    };
  });
}

/** A web host, whichever, sends the app host nothing. */
export const isLeftOut = (
  host: string,
  addresses: Readonly<Record<string, string>>,
  { web }: Observed,
): boolean => web.some(({ down }) => down.includes(addresses[host] ?? ''));

/** Releases whose roll-out has held, on whichever host. */
export const goodReleases = (observed: Observed): ReadonlySet<string> =>
  new Set(observed.app.flatMap((host) => host.releases.filter((one) => one.good).map((one) => one.id)));

/** Those of them that serve, on whichever host. */
export function goodInService(observed: Observed): ReadonlySet<string> {
  const good = goodReleases(observed);
  return new Set(
    observed.app.flatMap(({ serving }) => (serving !== null && good.has(serving) ? [serving] : [])),
  );
}

/** Whoever it is that keeps requests from it. */
export const isOut = ({ down, refusing }: Lane): boolean => down || refusing;

/** What most hosts go back to, or served already where nothing is to do. */
export function previousOf(lanes: readonly Lane[]): string | null {
  const open = lanes.filter((lane) => !lane.done);
  return mostNamed(
    (open.length > 0 ? open : lanes).map((lane) => (lane.done ? lane.host.serving : lane.from)),
  );
}

/** What is named most often; null when nothing is. */
export function mostNamed(names: readonly (string | null)[]): string | null {
  const found = names.filter((name) => name !== null);
  const count = (name: string): number => found.filter((one) => one === name).length;
  return [...found].sort((a, b) => count(b) - count(a))[0] ?? null;
}

/** Serves the release, healthy, and its roll-out has held. */
function isDone(host: AppHostState, release: string): boolean {
  const folder = host.releases.find(({ id }) => id === release);
  const linked = host.serving === release && host.current === release;
  const starts = host.enabled.includes(release);
  return linked && starts && runs(host, release) && folder?.good === true && host.complaint === null;
}

const isIll = ({ serving, complaint }: AppHostState, release: string, good: ReadonlySet<string>): boolean =>
  serving === release && good.has(release) && typeof complaint === 'string';

/** An instance of the release is up on the host. */
export const runs = (host: AppHostState, release: string): boolean =>
  host.instances.some(({ id, active }) => id === release && active === 'active');

/**
 * What a host goes back to when the deploy fails: what serves now; or, where that is the wanted release itself or one whose
 * roll-out never held (a deploy was killed), the one before it.
 */
function fallbackOf(host: AppHostState, release: string, good: ReadonlySet<string>): string | null {
  const usable = (id: string | null): id is string =>
    id !== null && id !== release && host.releases.some((one) => one.id === id && !one.bad);
  const candidates = [host.serving, host.previous].filter(usable);
  return candidates.find((id) => good.has(id)) ?? candidates[0] ?? null;
}

/** Other releases that run on a host, or start with it. */
export function liveOthers(host: AppHostState, release: string): string[] {
  const live = host.instances.filter(isLive).map(({ id }) => id);
  return [...new Set([...live, ...host.enabled])].filter((id) => id !== release);
}
