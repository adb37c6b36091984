import { UserError } from '@perlstack/stack';
import { requireRoom } from './room.js';
import type { FinishStep, ReleaseStep } from './steps.js';
import { type AppHostState, isLive, type Observed } from './world.js';

/** `socket`: two instances side by side and a switch by rename. `drain`: for hosts with room for one instance. */
export type Strategy = 'socket' | 'drain';

export interface Wanted {
  readonly release: string;
  readonly sha256: string;
  /** Bytes of the artifact, packed and unpacked. */
  readonly bytes: number;
  readonly unpackedBytes: number;
  readonly strategy: Strategy;
  /** Starman units of a release on each host. */
  readonly units: number;
  /** How many releases stay on a host. */
  readonly keepReleases: number;
  /** Address and port by which the web tier knows each app host. */
  readonly addresses: Readonly<Record<string, string>>;
}

export interface Plan {
  /** What can be undone until all of it is done. */
  readonly roll: readonly ReleaseStep[];
  /** What follows once the roll-out has held, and is not undone. */
  readonly finish: readonly FinishStep[];
  /** What served before; null on a first deploy. */
  readonly previous: string | null;
  /** Hosts that run the release already, healthy and proven. */
  readonly done: readonly string[];
}

/**
 * The steps from what is there to a release that serves on every app host.
 *
 * @throws UserError when it cannot be, before anything was changed: hosts that are not configured, no room, another artifact
 *   under the same id, a release that serves already but is ill.
 */
export function plan(wanted: Wanted, observed: Observed): Plan {
  const good = new Set(
    observed.app.flatMap((host) => host.releases.filter((one) => one.good).map((one) => one.id)),
  );
  for (const host of observed.app) requireReady(host, wanted, good);
  const down = (host: AppHostState): boolean =>
    observed.web.some((web) => web.down.includes(wanted.addresses[host.host] ?? ''));
  const lanes = observed.app.map((host) => ({
    host,
    down: down(host),
    done: isDone(host, wanted.release),
    from: fallbackOf(host, wanted.release, good),
  }));
  const open = lanes.filter((lane) => !lane.done);
  for (const { host } of open) requireRoom(host, wanted);
  const stranded = lanes.filter((lane) => lane.done && lane.down).flatMap(backIntoService);
  const roll =
    wanted.strategy === 'socket' ? rollBySocket(wanted, open) : rollByDrain(wanted, open, idsOf(stranded));
  const hold: ReleaseStep[] = open.length > 0 ? [holdAfter(roll, wanted.release)] : [];
  return {
    roll: [...stranded, ...roll, ...hold],
    finish: lanes.flatMap((lane) => finishOf(wanted, lane)),
    previous: previousOf(lanes),
    done: lanes.filter((lane) => lane.done).map((lane) => lane.host.host),
  };
}

interface Lane {
  readonly host: AppHostState;
  readonly done: boolean;
  /** A web host leaves it out: an earlier deploy was killed while it was drained. */
  readonly down: boolean;
  /** The release to go back to. */
  readonly from: string | null;
}

/** What most hosts go back to, or served already where nothing is to do. */
function previousOf(lanes: readonly Lane[]): string | null {
  const open = lanes.filter((lane) => !lane.done);
  const names = (open.length > 0 ? open : lanes).map((lane) => (lane.done ? lane.host.serving : lane.from));
  const found = names.filter((name) => name !== null);
  return found.sort((a, b) => count(found, b) - count(found, a))[0] ?? null;
}

const count = (names: readonly string[], name: string): number => names.filter((one) => one === name).length;

function requireReady(host: AppHostState, { release, sha256 }: Wanted, good: ReadonlySet<string>): void {
  if (!host.configured) {
    throw new UserError(`${host.host} is not set up for the application yet: apply its configuration first`);
  }
  const folder = host.releases.find(({ id }) => id === release);
  if (folder && folder.sha256 !== sha256) {
    throw new UserError(
      `${host.host} has a release ${release} already, made from another artifact (SHA-256 ${folder.sha256 ?? 'unknown'}, ` +
        `not ${sha256}): give this build a release id of its own. Nothing was changed`,
    );
  }
  const runs =
    host.serving === release && host.instances.some((one) => one.id === release && one.active === 'active');
  if (runs && good.has(release) && typeof host.complaint === 'string') {
    throw new UserError(
      `${host.host} runs release ${release} already, but it is not healthy (${host.complaint}); deploying it again ` +
        `would change nothing${host.previous === null ? '' : `. The release before it is ${host.previous}`}`,
    );
  }
}

/** Serves the release, healthy, and its roll-out has held. */
function isDone(host: AppHostState, release: string): boolean {
  const folder = host.releases.find(({ id }) => id === release);
  const linked = host.serving === release && host.current === release;
  const starts = host.enabled.includes(release);
  const runs = host.instances.some(({ id, active }) => id === release && active === 'active');
  return linked && starts && runs && folder?.good === true && host.complaint === null;
}

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

const liveOthers = (host: AppHostState, release: string): string[] => {
  const live = host.instances.filter(isLive).map(({ id }) => id);
  return [...new Set([...live, ...host.enabled])].filter((id) => id !== release);
};

/** Keeps the kind of a step literal. */
const step = <const S extends ReleaseStep>(one: S): S => one;

/** Upload and compile check, as far as they are not done; `after` is what has to come first. */
function prepare(
  { release, sha256 }: Wanted,
  { host: state }: Lane,
  after: readonly string[],
): ReleaseStep[] {
  const host = state.host;
  if (state.instances.some(({ id, active }) => id === release && active === 'active')) return [];
  const there = state.releases.some(({ id }) => id === release);
  const upload = step({
    id: `${host}/upload`,
    kind: 'upload',
    host,
    title: `upload ${release}`,
    release,
    sha256,
    after,
  });
  const first = there ? after : [upload.id];
  const compile = step({
    id: `${host}/compile`,
    kind: 'compile',
    host,
    title: `compile ${release}`,
    release,
    after: first,
  });
  return there ? [compile] : [upload, compile];
}

const titleOf = (what: string, release: string, serving: string | null): string =>
  `${what} ${serving === null || serving === release ? '' : `${serving} → `}${release}`;

function rollBySocket(wanted: Wanted, lanes: readonly Lane[]): ReleaseStep[] {
  const { resumed, fresh } = splitOf(wanted, lanes);
  const out = takenOut(lanes);
  const noted = resumed.flatMap((lane) => notedAsSwitched(wanted, lane, idsOf(out)));
  const first = [...out, ...noted].filter(({ kind }) => kind !== 'boot').map(({ id }) => id);
  const prepared = fresh.flatMap((lane) => {
    const steps = prepare(wanted, lane, first);
    return [...steps, bootStep(wanted, lane, idsOf(steps.slice(-1), first))];
  });
  const started = [
    ...resumed.map(({ host }) => `${host.host}/switch`),
    ...fresh.map(({ host }) => `${host.host}/boot`),
  ];
  const proven = [...resumed, ...fresh].map((lane, index) =>
    proveStep(wanted, lane, started.slice(index, index + 1)),
  );
  return [
    ...out,
    ...noted,
    ...prepared,
    ...proven,
    ...switched(wanted, [...resumed, ...fresh], idsOf(proven)),
  ];
}

/**
 * What an earlier deploy, which was killed, left half done is noted before anything else can fail: a host that serves the
 * release already has to go back too, and one that is out of service must not stay there.
 */
function splitOf({ release }: Wanted, lanes: readonly Lane[]): { resumed: Lane[]; fresh: Lane[] } {
  const serves = (lane: Lane): boolean => lane.host.serving === release;
  return { resumed: lanes.filter(serves), fresh: lanes.filter((lane) => !serves(lane)) };
}

/** Noted as taken out too, so that the undo of the putting back is not the last word. */
function backIntoService({ host: { host } }: Lane): ReleaseStep[] {
  const out = takeOut(host, []);
  return [out, putBack(host, [out.id])];
}

const takenOut = (lanes: readonly Lane[]) =>
  lanes.filter(({ down }) => down).map(({ host }) => takeOut(host.host, []));

/** Changes nothing on a host that serves the release, but goes back there when the deploy does. */
function notedAsSwitched(wanted: Wanted, lane: Lane, after: readonly string[]): ReleaseStep[] {
  const boot = bootStep(wanted, lane, after);
  return [boot, switchStep(wanted, lane, [boot.id])];
}

/** The switches, host by host, once the release has proven itself on all of them. */
function switched(wanted: Wanted, lanes: readonly Lane[], proven: readonly string[]): ReleaseStep[] {
  let before = proven;
  return lanes.flatMap((lane) => {
    const name = lane.host.host;
    const swap = lane.host.serving === wanted.release ? [] : [switchStep(wanted, lane, before)];
    const gate = gateStep(wanted, lane, idsOf(swap, before));
    before = [gate.id];
    const old = liveOthers(lane.host, wanted.release);
    const drain = old.length === 0 ? [] : [drainStep(name, old, false, [gate.id])];
    return [...swap, gate, ...drain, ...(lane.down ? [putBack(name, [gate.id])] : [])];
  });
}

/**
 * A host that an earlier deploy left out of service comes before any other is taken out, as that could be the last one. So
 * one that has the release and is in service is not taken out again: it is noted, and looked at.
 *
 * @param after steps that bring hosts back which need nothing else
 */
function rollByDrain(wanted: Wanted, lanes: readonly Lane[], after: readonly string[]): ReleaseStep[] {
  const { resumed, fresh } = splitOf(wanted, lanes);
  const [up, down] = [resumed.filter((lane) => !lane.down), resumed.filter((lane) => lane.down)];
  const out = takenOut(lanes);
  const noted = up.flatMap((lane) => notedAsSwitched(wanted, lane, idsOf(out)));
  const first = [...after, ...idsOf(out), ...idsOf(noted)];
  const early = replaced(wanted, down, first);
  const seen = up.flatMap((lane) => {
    const prove = proveStep(wanted, lane, idsOf(early.slice(-1), first));
    return [prove, gateStep(wanted, lane, [prove.id])];
  });
  const ready = [...idsOf(early.slice(-1), first), ...idsOf(seen)];
  const downFirst = [...fresh.filter((lane) => lane.down), ...fresh.filter((lane) => !lane.down)];
  return [...out, ...noted, ...early, ...seen, ...replaced(wanted, downFirst, ready)];
}

/** Prepared side by side, then out of service, replaced and back in, host by host. */
function replaced(wanted: Wanted, lanes: readonly Lane[], after: readonly string[]): ReleaseStep[] {
  const prepared = lanes.map((lane) => prepare(wanted, lane, after));
  const last = prepared.flatMap((steps) => idsOf(steps.slice(-1)));
  let before = last.length > 0 ? last : after;
  const rolled = lanes.flatMap((lane) => {
    const host = lane.host.host;
    const out = lane.down ? [] : [takeOut(host, before)];
    const served = lane.host.serving === null ? [] : [lane.host.serving];
    const drain = drainStep(host, served, true, idsOf(out, before));
    const restart = restartStep(wanted, lane, [drain.id]);
    const prove = proveStep(wanted, lane, [restart.id]);
    const gate = gateStep(wanted, lane, [prove.id]);
    const back = putBack(host, [gate.id]);
    before = [back.id];
    return [...out, drain, restart, prove, gate, back];
  });
  return [...prepared.flat(), ...rolled];
}

const idsOf = (steps: readonly ReleaseStep[], otherwise: readonly string[] = []): readonly string[] =>
  steps.length > 0 ? steps.map(({ id }) => id) : otherwise;

function bootStep({ release }: Wanted, { host: { host } }: Lane, after: readonly string[]) {
  return step({ id: `${host}/boot`, kind: 'boot', host, title: `boot ${release}`, release, after });
}

function proveStep({ release }: Wanted, { host: { host } }: Lane, after: readonly string[]) {
  return step({ id: `${host}/prove`, kind: 'prove', host, title: `prove ${release}`, release, after });
}

function gateStep({ release }: Wanted, { host: { host } }: Lane, after: readonly string[]) {
  return step({ id: `${host}/gate`, kind: 'gate', host, title: `gate ${release}`, release, after });
}

function switchStep({ release }: Wanted, { host: state, from }: Lane, after: readonly string[]) {
  const { host, previous } = state;
  const title = titleOf('switch', release, state.serving);
  return step({ id: `${host}/switch`, kind: 'switch', host, title, release, from, previous, after });
}

function restartStep({ release }: Wanted, { host: state, from }: Lane, after: readonly string[]) {
  const { host, previous } = state;
  const title = titleOf('restart', release, state.serving);
  return step({ id: `${host}/restart`, kind: 'restart', host, title, release, from, previous, after });
}

const drainStep = (host: string, releases: readonly string[], port: boolean, after: readonly string[]) =>
  step({
    id: `${host}/drain`,
    kind: 'drain',
    host,
    title: releases.length === 0 ? 'drain' : `drain ${releases.join(', ')}`,
    releases,
    port,
    after,
  });

const takeOut = (host: string, after: readonly string[]) =>
  step({ id: `${host}/take-out`, kind: 'take-out', host, title: 'take out of service', after });

const putBack = (host: string, after: readonly string[]) =>
  step({ id: `${host}/put-back`, kind: 'put-back', host, title: 'put back into service', after });

/** After everything else, so that the whole roll-out is looked at once more as one. */
function holdAfter(roll: readonly ReleaseStep[], release: string): ReleaseStep {
  const followed = new Set(roll.flatMap((one) => one.after ?? []));
  const after = roll.filter((one) => !followed.has(one.id)).map((one) => one.id);
  return { id: 'hold', kind: 'hold', title: `hold ${release} on all app hosts`, release, after };
}

function finishOf(wanted: Wanted, { host, done, from }: Lane): FinishStep[] {
  const stop = liveOthers(host, wanted.release);
  const remove = [...host.partials, ...outdated(host, wanted, from, stop)];
  if (done && stop.length === 0 && remove.length === 0) return [];
  const what = stop.length === 0 ? 'clean up' : `stop ${stop.join(', ')}`;
  return [
    {
      id: `${host.host}/finish`,
      kind: 'finish',
      host: host.host,
      title: what,
      release: wanted.release,
      stop,
      remove,
    },
  ];
}

/**
 * Releases beyond `keepReleases`, oldest first out. Never one that serves, served before or has an instance. Failed ones do
 * not count, so that a row of failures does not push out the last good one; they go when they are older than all that stay.
 */
function outdated(
  host: AppHostState,
  wanted: Wanted,
  from: string | null,
  live: readonly string[],
): string[] {
  const protectedIds = new Set([wanted.release, host.serving, host.current, from, ...live]);
  const newestFirst = [...host.releases].sort((a, b) => b.unpackedAt - a.unpackedAt);
  const others = newestFirst.filter(({ id }) => !protectedIds.has(id));
  const ids = new Set([...host.releases.map(({ id }) => id), wanted.release]);
  const kept = [...ids].filter((id) => protectedIds.has(id)).length;
  const room = Math.max(0, wanted.keepReleases - kept);
  const sound = others.filter(({ bad }) => !bad);
  const failed = others.filter(({ bad }) => bad);
  const oldest = sound.slice(0, room).at(-1)?.unpackedAt;
  const stale = failed.filter(
    ({ unpackedAt }, index) => index >= wanted.keepReleases || (oldest !== undefined && unpackedAt < oldest),
  );
  return [...sound.slice(room), ...stale].map(({ id }) => id);
}
