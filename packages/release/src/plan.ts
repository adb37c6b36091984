import { UserError } from '@perlstack/stack';
import { batchesOf, type BatchSize, type Canary, neededOf, sizesOf, spread } from './batch.js';
import { loadOf, requireCapacity } from './capacity.js';
import { isLeftOut, isOut, type Lane, lanesOf, previousOf, runs } from './lanes.js';
import { hasModules, type Modules } from './modules.js';
import { NEXT_RUN } from './next-run.js';
import { holdAfter, idsOf, keepOut, leaveOut, modulesStep } from './plan-steps.js';
import { finishOf } from './retention.js';
import { backIntoService, type Course, rollByDrain, rollBySocket } from './roll-plan.js';
import { keptOn } from './rollback.js';
import { requireRoom } from './room.js';
import type { FinishStep, ReleaseStep } from './steps.js';
import type { AppHostState, Observed, WebHostState } from './world.js';

/** `socket`: two instances side by side and a switch by rename. `drain`: for hosts with room for one instance. */
export type Strategy = 'socket' | 'drain';

/** How a roll-out proceeds; what nobody said is one host after the other, all or nothing. */
export interface Pace {
  /** How many hosts at once, batch after batch; default one. */
  readonly batch: readonly BatchSize[];
  readonly canary: Canary | null;
  /** Share of all app hosts (0 to 1) that is in service at every moment. */
  readonly floor: number;
  /** How many hosts may fail or be out of reach before the deploy stops; it leaves them out of service. */
  readonly maxFailures: number;
}

export const DEFAULT_PACE: Pace = { batch: [{ hosts: 1 }], canary: null, floor: 0.5, maxFailures: 0 };

export interface Wanted extends Pace {
  readonly release: string;
  /** SHA-256 of its artifact; null when it is to be on a host already, as for a rollback. */
  readonly sha256: string | null;
  /** Bytes of the artifact, packed and unpacked. */
  readonly bytes: number;
  readonly unpackedBytes: number;
  /** Of it the archives of modules that it brings to be built. */
  readonly vendoredBytes: number;
  readonly strategy: Strategy;
  /** Starman units of a release on each host. */
  readonly units: number;
  /** How many releases stay on a host. */
  readonly keepReleases: number;
  /** What is built on one of the hosts for all; null where nothing is. */
  readonly modules: Modules | null;
  /** A program of the release, with arguments, that brings the database to what it needs. */
  readonly migrate: readonly string[] | null;
  /** Address and port by which the web tier knows each app host. */
  readonly addresses: Readonly<Record<string, string>>;
  /** Where each host stands (rack, placement group), where that is known: neighbours in the order stand apart. */
  readonly places: Readonly<Record<string, string | null>>;
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
  /** How many app hosts may fail on the way before fewer than the floor are in service. */
  readonly spare: number;
}

/**
 * The steps from what is there to a release that serves on every app host.
 *
 * @throws UserError when it cannot be, before anything was changed: hosts that are not configured or out of reach, no room,
 *   another artifact under the same id, a release that serves already but is ill everywhere.
 */
export function plan(wanted: Wanted, observed: Observed): Plan {
  requireReach(wanted, observed);
  const keeper = keeperOf(wanted, observed);
  for (const host of observed.app) requireReady(host, wanted);
  const lanes = spread(lanesOf(wanted.release, wanted.addresses, observed), ({ host: { host } }) =>
    placeOf(wanted, host),
  );
  requireHealth(wanted, lanes);
  const open = lanes.filter((lane) => !lane.done);
  const { modules, release } = wanted;
  const builder = modules && sourceOf(modules.key, release, lanes);
  for (const lane of open) requireRoom(lane, wanted, { app: observed.app, builder, keeper });
  const { left, kept } = leavingOf(wanted, observed);
  const stranded = lanes.filter((lane) => lane.done && isOut(lane)).flatMap(backIntoService);
  const course = courseOf(wanted, observed, lanes, keeper);
  const roll =
    wanted.strategy === 'socket' ? rollBySocket(course, open) : rollByDrain(course, open, idsOf(stranded));
  const hold: ReleaseStep[] = open.length > 0 ? [holdAfter(roll, wanted.release)] : [];
  const changes = [...stranded, ...seedOf(course, open), ...roll];
  return {
    roll: [...(changes.length > 0 ? left : []), ...kept, ...changes, ...hold],
    finish: lanes.flatMap((lane) => finishOf(wanted, lane)),
    previous: previousOf(lanes),
    done: lanes.filter((lane) => lane.done).map((lane) => lane.host.host),
    spare: course.spare,
  };
}

/**
 * Those out of reach. Whom an earlier deploy left out, nothing that this one undoes may put back; but a web host that was
 * away then has to hear of it.
 */
function leavingOf({ addresses }: Wanted, observed: Observed): Record<'left' | 'kept', ReleaseStep[]> {
  const { unreachable, web } = observed;
  const out = (host: string): boolean => isLeftOut(host, addresses, observed);
  const gone = unreachable.filter(({ tier }) => tier === 'app').map(({ host }) => host);
  const leaves = (host: string) => (one: WebHostState) => one.down.includes(addresses[host] ?? '');
  return {
    left: gone.filter((host) => !out(host)).map(leaveOut),
    kept: gone.filter((host) => out(host) && !web.every(leaves(host))).map(keepOut),
  };
}

/** A host that is not touched otherwise gives its modules to the others. */
function seedOf({ modules, release }: Course, open: readonly Lane[]): ReleaseStep[] {
  if (modules === null || open.every(({ host }) => runs(host, release))) return [];
  const prepared = open.some(({ host }) => host.host === modules.source && !runs(host, release));
  return prepared ? [] : [modulesStep(modules.source, release, modules, [])];
}

/** Who has the modules already, of those that are worked on or of the others; else the first by name builds them. */
function sourceOf(key: string, release: string, lanes: readonly Lane[]): string {
  const fresh = lanes.filter((lane) => !lane.done && !runs(lane.host, release));
  const has = ({ host }: Lane): boolean => hasModules(host, key);
  const found =
    fresh.find(has) ?? lanes.find((lane) => has(lane) && lane.host.releases.some(({ id }) => id === release));
  const [first = ''] = fresh.map(({ host }) => host.host).sort();
  return found?.host.host ?? first;
}

const placeOf = ({ places }: Wanted, host: string): string | null => places[host] ?? null;

/** A web host asks three app servers (proxy_next_upstream_tries): one of them has to take the request. */
const MOST_REFUSING = 2;

function courseOf(
  wanted: Wanted,
  observed: Observed,
  lanes: readonly Lane[],
  keeper: string | null,
): Course & Pick<Plan, 'spare'> {
  const { release, sha256, batch, canary, strategy } = wanted;
  const total = lanes.length + observed.unreachable.filter(({ tier }) => tier === 'app').length;
  // Those that are out of service come first, and are back before another one goes.
  const spare = lanes.length - neededOf(wanted.floor, total);
  const takesOut = strategy === 'drain' && lanes.some((lane) => !isOut(lane) && !lane.done);
  if (takesOut && spare < 1) throw new UserError(belowFloor(wanted, lanes.length, total));
  const most = strategy === 'drain' ? Math.max(1, Math.min(spare, MOST_REFUSING)) : Infinity;
  const batches = batchesOf(lanes, sizesOf(batch, canary), total, most);
  const out = takesOut ? Math.max(...batches.map(({ length }) => length)) : 0;
  if (takesOut) requireCapacity(loadOf(observed.app, observed.facts.app, wanted.units, out), out);
  const active = lanes.some(({ done }) => done) ? release : previousOf(lanes);
  return {
    ...{ release, sha256, keeper, batch, canary, total, active },
    ahead: lanes.filter(({ host }) => host.serving === release).map(({ host }) => host.host),
    modules: wanted.modules && { ...wanted.modules, source: sourceOf(wanted.modules.key, release, lanes) },
    first: firstOf(lanes, release),
    trial: trialOf(wanted, active),
    most,
    spare: Math.max(0, spare - out),
    migrate: migrationOf(wanted, observed, lanes),
  };
}

/**
 * Where the first start of an instance costs something (a server out of service, a database that was changed for it), the
 * release is to compile on every host before, and to load on the first. A database that no release has used yet is empty, and
 * many an application does not load without its tables. Where instances start beside the old ones, that shows all this on
 * every host before requests go to any.
 */
function trialOf({ migrate, strategy }: Wanted, active: string | null): Course['trial'] {
  if (migrate === null) return strategy === 'drain' ? 'load' : 'first';
  return active === null ? 'every' : 'load';
}

/** The first by name that is to get the release. */
function firstOf(lanes: readonly Lane[], release: string): string | null {
  const fresh = lanes.filter((lane) => !lane.done && lane.host.serving !== release);
  return fresh.map((lane) => lane.host.host).sort()[0] ?? null;
}

/** On the first host by name of those that are to get the release; done once, wherever that was. */
function migrationOf(
  { migrate, release }: Wanted,
  observed: Observed,
  lanes: readonly Lane[],
): Course['migrate'] {
  const done = observed.app.some(({ releases }) =>
    releases.some((one) => one.id === release && one.migrated),
  );
  const host = firstOf(lanes, release);
  return migrate === null || done || host === null ? null : { host, command: migrate };
}

const percent = (share: number): string => `${Math.round(share * 100)} %`;

const belowFloor = ({ floor }: Wanted, reached: number, total: number): string =>
  `strategy "drain" takes a server out of service, and with ${reached} of ${total} app servers at work that leaves less ` +
  `than the floor of ${percent(floor)}: deploy with strategy "socket", add a server, or lower the floor ` +
  '(input "capacity-floor") and accept the outage. Nothing was changed';

/**
 * @throws UserError when more hosts are out of reach than may fail, or too few are left to serve.
 */
function requireReach(wanted: Wanted, { unreachable, app }: Observed): void {
  const [first] = unreachable;
  if (first === undefined) return;
  if (unreachable.length > wanted.maxFailures) {
    const names = unreachable.map(({ host }) => host).join(', ');
    throw new UserError(
      `${first.reason} Nothing was changed. To deploy to the others and leave ${names} out of service until ${NEXT_RUN} ` +
        `has brought it up to date, allow it: input "max-failures" is ${wanted.maxFailures}, ${unreachable.length} out of reach`,
    );
  }
  const out = unreachable.filter(({ tier }) => tier === 'app').length;
  if (app.length < neededOf(wanted.floor, app.length + out)) {
    throw new UserError(
      `${app.length} of ${app.length + out} app servers can be reached, less than the floor of ${percent(wanted.floor)}: ` +
        `${first.reason} Nothing was changed`,
    );
  }
}

function requireReady(host: AppHostState, { release, sha256, strategy }: Wanted): void {
  if (!host.configured || (strategy === 'drain' && host.refusing === null)) {
    throw new UserError(`${host.host} is not set up for the application yet: apply its configuration first`);
  }
  const folder = host.releases.find(({ id }) => id === release);
  if (sha256 !== null && folder && folder.sha256 !== sha256) {
    throw new UserError(
      `${host.host} has a release ${release} already, made from another artifact (SHA-256 ${folder.sha256 ?? 'unknown'}, ` +
        `not ${sha256}): give this build a release id of its own. Nothing was changed`,
    );
  }
}

/**
 * One host that is ill is mended by starting its instance anew. Where all of them run the release and are ill, the release is
 * to blame, or what all of them need.
 *
 * @throws UserError when all are
 */
function requireHealth({ release }: Wanted, lanes: readonly Lane[]): void {
  const [first] = lanes;
  if (first === undefined || !lanes.every(({ host, ill }) => ill && runs(host, release))) return;
  const names = lanes.map(({ host }) => host.host).join(', ');
  const { complaint, previous } = first.host;
  throw new UserError(
    `${names} ${lanes.length === 1 ? 'runs' : 'run'} release ${release} already, but it is not healthy (${complaint}); deploying it ` +
      `again would change nothing${previous === null ? '' : `. The release before it is ${previous}`}`,
  );
}

/**
 * The host from which others get a release that comes without an artifact: one where its roll-out held.
 *
 * @returns null with an artifact
 * @throws UserError where no host keeps it
 */
function keeperOf({ release, sha256 }: Wanted, { app }: Observed): string | null {
  if (sha256 !== null) return null;
  const keepers = app.flatMap(({ host, releases }) =>
    releases.filter(({ id }) => id === release).map(({ good }) => ({ host, good })),
  );
  const keeper = keepers.find(({ good }) => good) ?? keepers[0];
  if (keeper !== undefined) return keeper.host;
  throw new UserError(
    `no app server keeps release ${release} any more: they have ${keptOn(app).join(', ') || 'none'} (app.keepReleases). Choose one ` +
      'of those in the input "to", or deploy the commit anew. Nothing was changed',
  );
}
