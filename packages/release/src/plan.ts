import { UserError } from '@perlstack/stack';
import { batchesOf, type BatchSize, spread } from './batch.js';
import { loadOf, requireCapacity } from './capacity.js';
import { goodReleases, type Lane, lanesOf, previousOf, runs } from './lanes.js';
import type { Modules } from './modules.js';
import { holdAfter, idsOf, leaveOut, modulesStep } from './plan-steps.js';
import { finishOf } from './retention.js';
import { backIntoService, type Course, rollByDrain, rollBySocket } from './roll-plan.js';
import { requireRoom } from './room.js';
import type { FinishStep, ReleaseStep } from './steps.js';
import type { AppHostState, Observed } from './world.js';

/** `socket`: two instances side by side and a switch by rename. `drain`: for hosts with room for one instance. */
export type Strategy = 'socket' | 'drain';

/** How a roll-out proceeds; what nobody said is one host after the other, all or nothing. */
export interface Pace {
  /** How many hosts at once, batch after batch; default one. */
  readonly batch: readonly BatchSize[];
  /** The first hosts, and for how long they alone have the release and are compared with the rest. */
  readonly canary: { readonly hosts: number; readonly bakeMs: number } | null;
  /** Share of all app hosts (0 to 1) that is in service at every moment. */
  readonly floor: number;
  /** How many hosts may fail or be out of reach before the deploy stops; it leaves them out of service. */
  readonly maxFailures: number;
}

export const DEFAULT_PACE: Pace = { batch: [{ hosts: 1 }], canary: null, floor: 0.5, maxFailures: 0 };

export interface Wanted extends Pace {
  readonly release: string;
  /** SHA-256 of its artifact; null when it is to be on the hosts already, as for a rollback. */
  readonly sha256: string | null;
  /** Bytes of the artifact, packed and unpacked. */
  readonly bytes: number;
  readonly unpackedBytes: number;
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
}

/**
 * The steps from what is there to a release that serves on every app host.
 *
 * @throws UserError when it cannot be, before anything was changed: hosts that are not configured or out of reach, no room,
 *   another artifact under the same id, a release that serves already but is ill.
 */
export function plan(wanted: Wanted, observed: Observed): Plan {
  requireReach(wanted, observed);
  const good = goodReleases(observed);
  for (const host of observed.app) requireReady(host, wanted, good);
  const lanes = spread(lanesOf(wanted.release, wanted.addresses, observed), ({ host: { host } }) =>
    placeOf(wanted, host),
  );
  const open = lanes.filter((lane) => !lane.done);
  for (const { host } of open) requireRoom(host, wanted);
  const left = toLeaveOut(wanted, observed).map(leaveOut);
  const stranded = lanes.filter((lane) => lane.done && lane.down).flatMap(backIntoService);
  const course = courseOf(wanted, observed, lanes);
  const roll =
    wanted.strategy === 'socket' ? rollBySocket(course, open) : rollByDrain(course, open, idsOf(stranded));
  const hold: ReleaseStep[] = open.length > 0 ? [holdAfter(roll, wanted.release)] : [];
  const changes = [...stranded, ...seedOf(course, open), ...roll];
  return {
    roll: [...(changes.length > 0 ? left : []), ...changes, ...hold],
    finish: lanes.flatMap((lane) => finishOf(wanted, lane)),
    previous: previousOf(lanes),
    done: lanes.filter((lane) => lane.done).map((lane) => lane.host.host),
  };
}

/** Those out of reach, but for whom an earlier deploy left out: nothing that this one undoes may put them back. */
function toLeaveOut({ addresses }: Wanted, { unreachable, web }: Observed): string[] {
  const isOut = (host: string): boolean => web.every(({ down }) => down.includes(addresses[host] ?? ''));
  return unreachable.filter(({ tier, host }) => tier === 'app' && !isOut(host)).map(({ host }) => host);
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
  const has = ({ host }: Lane): boolean => host.modules.includes(key);
  const found =
    fresh.find(has) ?? lanes.find((lane) => has(lane) && lane.host.releases.some(({ id }) => id === release));
  const [first = ''] = fresh.map(({ host }) => host.host).sort();
  return found?.host.host ?? first;
}

const placeOf = ({ places }: Wanted, host: string): string | null => places[host] ?? null;

function courseOf(wanted: Wanted, observed: Observed, lanes: readonly Lane[]): Course {
  const { release, sha256, batch, canary, strategy } = wanted;
  const total = lanes.length + observed.unreachable.filter(({ tier }) => tier === 'app').length;
  // Those that are out of service come first, and are back before another one goes.
  const spare = lanes.length - Math.ceil(wanted.floor * total);
  const takesOut = strategy === 'drain' && lanes.some(({ down, done }) => !down && !done);
  if (takesOut && spare < 1) throw new UserError(belowFloor(wanted, lanes.length, total));
  if (takesOut) {
    const out = Math.max(...batchesOf(lanes, batch, total, Math.max(1, spare)).map(({ length }) => length));
    requireCapacity(loadOf(observed.app, observed.facts.app, wanted.units, out), out);
  }
  const active = lanes.some(({ done }) => done) ? release : previousOf(lanes);
  return {
    ...{ release, sha256, batch, canary, total, active },
    modules: wanted.modules && { ...wanted.modules, source: sourceOf(wanted.modules.key, release, lanes) },
    loadOn: loadsFirst(wanted, active) ? firstOf(lanes, release) : null,
    most: strategy === 'drain' ? Math.max(1, spare) : Infinity,
    migrate: migrationOf(wanted, observed, lanes),
  };
}

/**
 * Where a release that does not load would cost something before any instance of it has started: a server out of service,
 * or a database that was changed for it. A database that no release has used yet is empty, and many an application does
 * not load without its tables.
 */
function loadsFirst({ migrate, strategy }: Wanted, active: string | null): boolean {
  return migrate === null ? strategy === 'drain' : active !== null;
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
      `${first.reason} Nothing was changed. To deploy to the others and leave ${names} out of service until the next deploy ` +
        `brings it up to date, allow it: input "max-failures" is ${wanted.maxFailures}, ${unreachable.length} out of reach`,
    );
  }
  const out = unreachable.filter(({ tier }) => tier === 'app').length;
  if (out < unreachable.length && wanted.strategy === 'drain') {
    throw new UserError(
      `${first.reason} Strategy "drain" has to tell every web server which app server is out, and cannot. Nothing was changed`,
    );
  }
  if (app.length < Math.ceil(wanted.floor * (app.length + out))) {
    throw new UserError(
      `${app.length} of ${app.length + out} app servers can be reached, less than the floor of ${percent(wanted.floor)}: ` +
        `${first.reason} Nothing was changed`,
    );
  }
}

function requireReady(host: AppHostState, { release, sha256 }: Wanted, good: ReadonlySet<string>): void {
  if (!host.configured) {
    throw new UserError(`${host.host} is not set up for the application yet: apply its configuration first`);
  }
  const folder = host.releases.find(({ id }) => id === release);
  if (sha256 === null && folder === undefined) throw new UserError(notKept(host, release));
  if (sha256 !== null && folder && folder.sha256 !== sha256) {
    throw new UserError(
      `${host.host} has a release ${release} already, made from another artifact (SHA-256 ${folder.sha256 ?? 'unknown'}, ` +
        `not ${sha256}): give this build a release id of its own. Nothing was changed`,
    );
  }
  const serves = host.serving === release && runs(host, release);
  if (serves && good.has(release) && typeof host.complaint === 'string') {
    throw new UserError(
      `${host.host} runs release ${release} already, but it is not healthy (${host.complaint}); deploying it again ` +
        `would change nothing${host.previous === null ? '' : `. The release before it is ${host.previous}`}`,
    );
  }
}

function notKept({ host, releases }: AppHostState, release: string): string {
  const kept = [...releases].sort((a, b) => b.unpackedAt - a.unpackedAt).map(({ id }) => id);
  return (
    `${host} does not keep release ${release} any more: it has ${kept.join(', ') || 'none'} (app.keepReleases). Choose one of ` +
    'those, or deploy the commit anew. Nothing was changed'
  );
}
