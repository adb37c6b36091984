import { batchesOf, type BatchSize, type Canary, sizesOf } from './batch.js';
import { isOut, type Lane, liveOthers } from './lanes.js';
import {
  bakeStep,
  bootStep,
  drainStep,
  gateStep,
  idsOf,
  keepOut,
  migrateStep,
  prepareAll,
  proveStep,
  leaveOut,
  putBack,
  restartStep,
  type Shipment,
  stepsOf,
  switchStep,
  takeOut,
} from './plan-steps.js';
import type { ReleaseStep } from './steps.js';

/** How a release gets from host to host. */
export interface Course extends Shipment {
  /** How many hosts at once. */
  readonly batch: readonly BatchSize[];
  /** The release of those that get requests; null where none does. */
  readonly active: string | null;
  /** App hosts of the stack: what shares are shares of. */
  readonly total: number;
  /** No more hosts than this at once. */
  readonly most: number;
  readonly canary: Canary | null;
  /** Hosts that serve the release already: a canary is not compared with them. */
  readonly ahead: readonly string[];
  /** Runs once before any instance starts, on this host. */
  readonly migrate: { readonly host: string; readonly command: readonly string[] } | null;
}

/** Two instances side by side on each host, and a switch by rename. */
export function rollBySocket(course: Course, lanes: readonly Lane[]): ReleaseStep[] {
  const { resumed, fresh, ill } = splitOf(course, lanes);
  const out = takenOut(course, lanes);
  const noted = resumed.flatMap((lane) => notedAsSwitched(course, lane, idsOf(out)));
  const first = [...out, ...noted].filter(({ kind }) => kind !== 'boot').map(({ id }) => id);
  const prepared = prepareAll(course, fresh, first);
  const ready = prepared.flatMap((one) => stepsOf(one).slice(-1));
  const migration = migrationOf(course, ready, first);
  // Beside the compile check: what does not compile does not come up either, and nobody is sent to it.
  const booted = prepared.map(({ lane, arrival }) =>
    bootStep(course, lane, idsOf(migration, idsOf(arrival.slice(-1), first))),
  );
  const proven = [
    ...resumed.map((lane) => proveStep(course, lane, [`${lane.host.host}/switch`])),
    ...prepared.map(({ lane, trial }) =>
      proveStep(course, lane, [...idsOf(trial), `${lane.host.host}/boot`]),
    ),
  ];
  const preparing = prepared.flatMap((one, at) => [
    ...stepsOf(one),
    ...(migration[0] ? [] : booted.slice(at, at + 1)),
  ]);
  const rolled = inBatches(course, [...resumed, ...fresh], idsOf(proven), (batch, before) =>
    switched(course, batch, before),
  );
  // An instance cannot start beside itself, and whoever is ill may be the last one in service: the others come first.
  const back = rolled.filter(({ kind }) => kind === 'gate' || kind === 'put-back');
  // They are taken out of service for it, and no boot beside the old instance tries the release there.
  const mending: Course = { ...singly(course), trial: 'every' };
  return [
    ...out,
    ...noted,
    ...preparing,
    ...(migration[0] ? [...migration, ...booted] : []),
    ...proven,
    ...rolled,
    ...replaced(mending, ill, idsOf(back, first)),
  ];
}

/** Once, when the release lies ready and compiles on every host and before it starts on any. */
function migrationOf(
  { migrate, release }: Course,
  prepared: readonly ReleaseStep[],
  first: readonly string[],
): ReleaseStep[] {
  if (migrate === null) return [];
  return [migrateStep(migrate.host, release, migrate.command, idsOf(prepared, first))];
}

/**
 * What an earlier deploy, which was killed, left half done is noted before anything else can fail: a host that serves the
 * release already has to go back too, and one that is out of service must not stay there. One that is ill needs more than that.
 */
function splitOf({ release }: Course, lanes: readonly Lane[]): Record<'resumed' | 'fresh' | 'ill', Lane[]> {
  const [ill, well] = [lanes.filter((lane) => lane.ill), lanes.filter((lane) => !lane.ill)];
  const serves = (lane: Lane): boolean => lane.host.serving === release;
  return { ill, resumed: well.filter(serves), fresh: well.filter((lane) => !serves(lane)) };
}

/** One host after the other, as nothing is to be watched or to be done first. */
const singly = (course: Course): Course => ({
  ...course,
  batch: [{ hosts: 1 }],
  canary: null,
  migrate: null,
});

/** Noted as taken out too, so that the undo of the putting back is not the last word. */
export function backIntoService(lane: Lane): ReleaseStep[] {
  const out = outAgain(lane);
  return [...out, putBack(lane, idsOf(out))];
}

/** What keeps requests from a host already, as steps that end it when they are undone. */
const outAgain = ({ host: { host }, down, refusing }: Lane): ReleaseStep[] => [
  ...(down ? [leaveOut(host)] : []),
  ...(refusing ? [takeOut(host, [])] : []),
];

/**
 * Noted first, so that they are put back whatever fails: those that were only drained. One that is new or was away has
 * nothing to go back to, or another release than the rest, and the undo would send it requests: it stays out.
 */
const takenOut = ({ active }: Course, lanes: readonly Lane[]) =>
  lanes.filter(isOut).flatMap((lane) => {
    if (!lane.ill && lane.from !== null && lane.from === active) return outAgain(lane);
    return lane.down ? [keepOut(lane.host.host)] : [];
  });

/** Changes nothing on a host that serves the release, but goes back there when the deploy does. */
function notedAsSwitched(course: Course, lane: Lane, after: readonly string[]): ReleaseStep[] {
  const boot = bootStep(course, lane, after);
  return [boot, switchStep(course, lane, [boot.id])];
}

/** Steps of one batch, and those of them for which the next batch waits. */
interface Batch {
  readonly steps: readonly ReleaseStep[];
  readonly last: readonly string[];
}

/** Batch after batch; behind a canary's, the time in which it is watched. */
function inBatches(
  { batch, canary, total, most, release, ahead }: Course,
  lanes: readonly Lane[],
  first: readonly string[],
  rollOf: (batch: readonly Lane[], before: readonly string[]) => Batch,
): ReleaseStep[] {
  let before = first;
  return batchesOf(lanes, sizesOf(batch, canary), total, most).flatMap((hosts, index, later) => {
    const { steps, last } = rollOf(hosts, before);
    before = last;
    const behind = later
      .slice(1)
      .flat()
      .filter(({ host }) => !ahead.includes(host.host));
    if (canary === null || index > 0 || behind.length === 0) return steps;
    const names = hosts.map(({ host }) => host.host);
    const bake = bakeStep(release, [...new Set([...names, ...ahead])], canary, last);
    before = [bake.id];
    return [...steps, bake];
  });
}

/** The switches of one batch, once the release has proven itself on all hosts. */
function switched(course: Course, lanes: readonly Lane[], before: readonly string[]): Batch {
  const seen: string[] = [];
  const steps = lanes.flatMap((lane) => {
    const swap = lane.host.serving === course.release ? [] : [switchStep(course, lane, before)];
    const looked = isOut(lane)
      ? lookedAt(course, lane, idsOf(swap, before))
      : [gateStep(course, lane, idsOf(swap, before))];
    seen.push(...idsOf(looked.slice(-1)));
    const old = liveOthers(lane.host, course.release);
    const drain = old.length === 0 ? [] : [drainStep(lane.host.host, old, false, [`${lane.host.host}/gate`])];
    return [...swap, ...looked, ...drain];
  });
  return { steps, last: seen };
}

/**
 * One instance a host: out of service, replaced, and back. A host that an earlier deploy left out of service comes before any
 * other is taken out, as that could be the last one. So one that has the release and is in service is not taken out again:
 * it is noted, and looked at.
 *
 * @param after steps that bring hosts back which need nothing else
 */
export function rollByDrain(course: Course, lanes: readonly Lane[], after: readonly string[]): ReleaseStep[] {
  const { resumed, fresh, ill } = splitOf(course, lanes);
  const [up, down] = [resumed.filter((lane) => !isOut(lane)), resumed.filter(isOut)];
  const out = takenOut(course, lanes);
  const noted = up.flatMap((lane) => notedAsSwitched(course, lane, idsOf(out)));
  const first = [...after, ...idsOf(out), ...idsOf(noted)];
  const early = replaced(singly(course), down, first);
  const seen = up.flatMap((lane) => {
    const prove = proveStep(course, lane, idsOf(early.slice(-1), first));
    return [prove, gateStep(course, lane, [prove.id])];
  });
  const ready = [...idsOf(early.slice(-1), first), ...idsOf(seen)];
  const [low, high] = [fresh.filter(isOut), fresh.filter((lane) => !isOut(lane))];
  return [...out, ...noted, ...early, ...seen, ...replaced(course, [...low, ...ill, ...high], ready)];
}

/** Prepared side by side, then out of service, replaced and back in, batch by batch. */
function replaced(course: Course, lanes: readonly Lane[], after: readonly string[]): ReleaseStep[] {
  const prepared = prepareAll(course, lanes, after);
  const last = prepared.flatMap((one) => stepsOf(one).slice(-1));
  const migration = migrationOf(course, last, after);
  const ready = idsOf(migration, idsOf(last, after));
  const rolled = inBatches(course, lanes, ready, (batch, before) => {
    const chains = batch.map((lane) => replacement(course, lane, before));
    return { steps: chains.flat(), last: chains.flatMap((chain) => idsOf(chain.slice(-1))) };
  });
  return [...prepared.flatMap(stepsOf), ...migration, ...rolled];
}

/**
 * The look from a web host, and the way back into service. A host that the web hosts leave out is looked at before it gets
 * requests; one that refuses connections has to take them first.
 */
function lookedAt(course: Course, lane: Lane, before: readonly string[]): ReleaseStep[] {
  if (lane.down && !lane.refusing) {
    const gate = gateStep(course, lane, before);
    return [gate, putBack(lane, [gate.id])];
  }
  const back = putBack(lane, before);
  return [back, gateStep(course, lane, [back.id])];
}

function replacement(course: Course, lane: Lane, before: readonly string[]): ReleaseStep[] {
  const host = lane.host.host;
  const out = isOut(lane) ? [] : [takeOut(host, before)];
  const served = lane.host.serving === null ? [] : [lane.host.serving];
  const drain = drainStep(host, served, true, idsOf(out, before));
  const restart = restartStep(course, lane, [drain.id]);
  const prove = proveStep(course, lane, [restart.id]);
  return [...out, drain, restart, prove, ...lookedAt(course, lane, [prove.id])];
}
