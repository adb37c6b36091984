import { batchesOf, type BatchSize } from './batch.js';
import { type Lane, liveOthers } from './lanes.js';
import {
  bakeStep,
  bootStep,
  drainStep,
  gateStep,
  idsOf,
  migrateStep,
  prepareAll,
  proveStep,
  putBack,
  restartStep,
  type Shipment,
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
  /** The first hosts, and for how many milliseconds they alone have the release and are watched. */
  readonly canary: { readonly hosts: number; readonly bakeMs: number } | null;
  /** Runs once before any instance starts, on this host. */
  readonly migrate: { readonly host: string; readonly command: readonly string[] } | null;
}

/** Two instances side by side on each host, and a switch by rename. */
export function rollBySocket(course: Course, lanes: readonly Lane[]): ReleaseStep[] {
  const { resumed, fresh } = splitOf(course, lanes);
  const out = takenOut(course, lanes);
  const noted = resumed.flatMap((lane) => notedAsSwitched(course, lane, idsOf(out)));
  const first = [...out, ...noted].filter(({ kind }) => kind !== 'boot').map(({ id }) => id);
  const prepared = prepareAll(course, fresh, first);
  const migration = migrationOf(
    course,
    prepared.flatMap((steps) => idsOf(steps.slice(-1))),
    first,
  );
  const compiled = prepared.map((steps) => idsOf(steps.slice(-1)));
  // Beside the compile check: what does not compile does not come up either, and nobody is sent to it.
  const unpacked = prepared.map((steps) => idsOf(steps.slice(0, -1).slice(-1), first));
  const booted = fresh.map((lane, at) => bootStep(course, lane, idsOf(migration, unpacked[at])));
  const proven = [
    ...resumed.map((lane) => proveStep(course, lane, [`${lane.host.host}/switch`])),
    ...fresh.map((lane, at) => proveStep(course, lane, [...(compiled[at] ?? []), `${lane.host.host}/boot`])),
  ];
  const preparing = prepared.flatMap((steps, at) => [
    ...steps,
    ...(migration[0] ? [] : booted.slice(at, at + 1)),
  ]);
  return [
    ...out,
    ...noted,
    ...preparing,
    ...(migration[0] ? [...migration, ...booted] : []),
    ...proven,
    ...inBatches(course, [...resumed, ...fresh], idsOf(proven), (batch, before) =>
      switched(course, batch, before),
    ),
  ];
}

/** Once, when the release lies ready and compiles on every host and before it starts on any. */
function migrationOf(
  { migrate, release }: Course,
  prepared: readonly string[],
  first: readonly string[],
): ReleaseStep[] {
  if (migrate === null) return [];
  return [migrateStep(migrate.host, release, migrate.command, prepared.length > 0 ? prepared : first)];
}

/**
 * What an earlier deploy, which was killed, left half done is noted before anything else can fail: a host that serves the
 * release already has to go back too, and one that is out of service must not stay there.
 */
function splitOf({ release }: Course, lanes: readonly Lane[]): { resumed: Lane[]; fresh: Lane[] } {
  const serves = (lane: Lane): boolean => lane.host.serving === release;
  return { resumed: lanes.filter(serves), fresh: lanes.filter((lane) => !serves(lane)) };
}

/** Noted as taken out too, so that the undo of the putting back is not the last word. */
export function backIntoService({ host: { host } }: Lane): ReleaseStep[] {
  const out = takeOut(host, []);
  return [out, putBack(host, [out.id])];
}

/**
 * Noted first, so that they are put back whatever fails: those that were only drained. One that is new or was away has
 * nothing to go back to, or another release than the rest, and the undo would send it requests.
 */
const takenOut = ({ active }: Course, lanes: readonly Lane[]) =>
  lanes
    .filter(({ down, from }) => down && from !== null && from === active)
    .map(({ host }) => takeOut(host.host, []));

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
  { batch, canary, total, most, release }: Course,
  lanes: readonly Lane[],
  first: readonly string[],
  rollOf: (batch: readonly Lane[], before: readonly string[]) => Batch,
): ReleaseStep[] {
  const sizes = canary === null ? batch : [{ hosts: canary.hosts }, ...batch];
  let before = first;
  return batchesOf(lanes, sizes, total, most).flatMap((hosts, index, all) => {
    const { steps, last } = rollOf(hosts, before);
    before = last;
    if (canary === null || index > 0 || all.length === 1) return steps;
    const bake = bakeStep(
      release,
      hosts.map(({ host }) => host.host),
      canary.bakeMs,
      last,
    );
    before = [bake.id];
    return [...steps, bake];
  });
}

/** The switches of one batch, once the release has proven itself on all hosts. */
function switched(course: Course, lanes: readonly Lane[], before: readonly string[]): Batch {
  const seen: string[] = [];
  const steps = lanes.flatMap((lane) => {
    const name = lane.host.host;
    const swap = lane.host.serving === course.release ? [] : [switchStep(course, lane, before)];
    const gate = gateStep(course, lane, idsOf(swap, before));
    const back = lane.down ? [putBack(name, [gate.id])] : [];
    seen.push(...idsOf(back, [gate.id]));
    const old = liveOthers(lane.host, course.release);
    const drain = old.length === 0 ? [] : [drainStep(name, old, false, [gate.id])];
    return [...swap, gate, ...drain, ...back];
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
  const { resumed, fresh } = splitOf(course, lanes);
  const [up, down] = [resumed.filter((lane) => !lane.down), resumed.filter((lane) => lane.down)];
  const out = takenOut(course, lanes);
  const noted = up.flatMap((lane) => notedAsSwitched(course, lane, idsOf(out)));
  const first = [...after, ...idsOf(out), ...idsOf(noted)];
  const one = { ...course, batch: [{ hosts: 1 }], canary: null, migrate: null };
  const early = replaced(one, down, first);
  const seen = up.flatMap((lane) => {
    const prove = proveStep(course, lane, idsOf(early.slice(-1), first));
    return [prove, gateStep(course, lane, [prove.id])];
  });
  const ready = [...idsOf(early.slice(-1), first), ...idsOf(seen)];
  const [low, high] = [fresh.filter((lane) => lane.down), fresh.filter((lane) => !lane.down)];
  return [...out, ...noted, ...early, ...seen, ...replaced(course, [...low, ...high], ready)];
}

/** Prepared side by side, then out of service, replaced and back in, batch by batch. */
function replaced(course: Course, lanes: readonly Lane[], after: readonly string[]): ReleaseStep[] {
  const prepared = prepareAll(course, lanes, after);
  const last = prepared.flatMap((steps) => idsOf(steps.slice(-1)));
  const migration = migrationOf(course, last, after);
  const ready = idsOf(migration, last.length > 0 ? last : after);
  const rolled = inBatches(course, lanes, ready, (batch, before) => {
    const chains = batch.map((lane) => replacement(course, lane, before));
    return { steps: chains.flat(), last: chains.flatMap((chain) => idsOf(chain.slice(-1))) };
  });
  return [...prepared.flat(), ...migration, ...rolled];
}

function replacement(course: Course, lane: Lane, before: readonly string[]): ReleaseStep[] {
  const host = lane.host.host;
  const out = lane.down ? [] : [takeOut(host, before)];
  const served = lane.host.serving === null ? [] : [lane.host.serving];
  const drain = drainStep(host, served, true, idsOf(out, before));
  const restart = restartStep(course, lane, [drain.id]);
  const prove = proveStep(course, lane, [restart.id]);
  const gate = gateStep(course, lane, [prove.id]);
  return [...out, drain, restart, prove, gate, putBack(host, [gate.id])];
}
