import type { Canary } from './batch.js';
import { type Lane, runs } from './lanes.js';
import type { Modules } from './modules.js';
import type {
  BakeStep,
  CompileStep,
  CopyStep,
  LeaveOutStep,
  MigrateStep,
  ModulesStep,
  ReleaseStep,
  UploadStep,
} from './steps.js';
import type { AppHostState } from './world.js';

/** Keeps the kind of a step literal. */
const step = <const S extends ReleaseStep>(one: S): S => one;

/** A release on its way to the hosts. */
export interface Shipment {
  readonly release: string;
  /** SHA-256 of its artifact; null when it is on hosts already, and only there. */
  readonly sha256: string | null;
  /** A host that keeps it: who does not have it gets it from there, where there is no artifact. */
  readonly keeper: string | null;
  /** What is built for it, and the host that builds it, or has it; null where nothing is. */
  readonly modules: (Modules & { readonly source: string }) | null;
  /** The first host that gets it; null where all have it. */
  readonly first: string | null;
  /**
   * What is tried before any instance of it starts: that it compiles on the first host; or on every host; or, with `load`, that
   * the first loads it too.
   */
  readonly trial: 'first' | 'every' | 'load';
}

/** How a release arrives on a host that does not have it. */
function arrival(
  { release, sha256, keeper }: Shipment,
  { host, modules }: AppHostState,
  after: readonly string[],
): UploadStep | CopyStep {
  if (sha256 === null && keeper !== null) {
    const what = { title: `copy ${release} from ${keeper}`, release, source: keeper };
    const keys = modules.map(({ key }) => key);
    return step({ id: `${host}/copy`, kind: 'copy', host, ...what, modules: keys, after });
  }
  const title = `upload ${release}`;
  return step({ id: `${host}/upload`, kind: 'upload', host, title, release, sha256: sha256 ?? '', after });
}

/** How a release gets ready on one host, as far as it is not. */
export interface Prepared {
  readonly lane: Lane;
  /** Upload or copy, and modules. */
  readonly arrival: readonly ReleaseStep[];
  /** The compile check, where there is one. */
  readonly trial: readonly CompileStep[];
}

/**
 * @param after what has to come first
 * @param turn the upload of another host for which this one waits
 */
function prepare(
  shipment: Shipment,
  lane: Lane,
  after: readonly string[],
  turn: string | undefined,
): Prepared {
  const { release, modules, first, trial } = shipment;
  const { host: state } = lane;
  const host = state.host;
  if (runs(state, release)) return { lane, arrival: [], trial: [] };
  const there = state.releases.some(({ id }) => id === release);
  const arriving = turn === undefined ? after : [...after, turn];
  const uploaded = there ? [] : [arrival(shipment, state, arriving)];
  const built = modules === null ? [] : [modulesStep(host, release, modules, idsOf(uploaded, after))];
  const compile = step({
    id: `${host}/compile`,
    kind: 'compile',
    host,
    title: `compile ${release}`,
    release,
    load: trial === 'load' && host === first,
    after: idsOf(built, idsOf(uploaded, after)),
  });
  const tried = trial !== 'first' || host === first ? [compile] : [];
  return { lane, arrival: [...uploaded, ...built], trial: tried };
}

export const stepsOf = ({ arrival, trial }: Prepared): ReleaseStep[] => [...arrival, ...trial];

/** So many hosts share the line at once: the first ones start their instances while the others still get theirs. */
const UPLOADS = 4;

/** All lanes prepared side by side, but for the uploads, which wait for one another. */
export function prepareAll(shipment: Shipment, lanes: readonly Lane[], after: readonly string[]): Prepared[] {
  const uploads: string[] = [];
  return lanes.map((lane) => {
    const prepared = prepare(shipment, lane, after, uploads.at(-UPLOADS));
    uploads.push(...idsOf(prepared.arrival.filter(({ kind }) => kind === 'upload' || kind === 'copy')));
    return prepared;
  });
}

/** Who builds comes first; the others fetch from there. */
export function modulesStep(
  host: string,
  release: string,
  { key, command, source }: NonNullable<Shipment['modules']>,
  after: readonly string[],
): ModulesStep {
  const own = host === source;
  const what = { title: 'modules', release, key, command, source: own ? null : source };
  const first = own ? after : [...after, `${source}/modules`];
  return step({ id: `${host}/modules`, kind: 'modules', host, ...what, after: first });
}

const titleOf = (what: string, release: string, serving: string | null): string =>
  `${what} ${serving === null || serving === release ? '' : `${serving} → `}${release}`;

export const idsOf = (steps: readonly ReleaseStep[], otherwise: readonly string[] = []): readonly string[] =>
  steps.length > 0 ? steps.map(({ id }) => id) : otherwise;

type Of = Pick<Shipment, 'release'>;

export function bootStep({ release }: Of, { host: { host } }: Lane, after: readonly string[]) {
  return step({ id: `${host}/boot`, kind: 'boot', host, title: `boot ${release}`, release, after });
}

export function proveStep({ release }: Of, { host: { host } }: Lane, after: readonly string[]) {
  return step({ id: `${host}/prove`, kind: 'prove', host, title: `prove ${release}`, release, after });
}

export function gateStep({ release }: Of, { host: { host } }: Lane, after: readonly string[]) {
  return step({ id: `${host}/gate`, kind: 'gate', host, title: `gate ${release}`, release, after });
}

export function switchStep({ release }: Of, { host: state, from }: Lane, after: readonly string[]) {
  const { host, previous } = state;
  const title = titleOf('switch', release, state.serving);
  return step({ id: `${host}/switch`, kind: 'switch', host, title, release, from, previous, after });
}

export function restartStep({ release }: Of, { host: state, from }: Lane, after: readonly string[]) {
  const { host, previous } = state;
  const title = titleOf('restart', release, state.serving);
  return step({ id: `${host}/restart`, kind: 'restart', host, title, release, from, previous, after });
}

export const drainStep = (
  host: string,
  releases: readonly string[],
  port: boolean,
  after: readonly string[],
) =>
  step({
    id: `${host}/drain`,
    kind: 'drain',
    host,
    title: releases.length === 0 ? 'drain' : `drain ${releases.join(', ')}`,
    releases,
    port,
    after,
  });

export const takeOut = (host: string, after: readonly string[]) =>
  step({ id: `${host}/take-out`, kind: 'take-out', host, title: 'take out of service', after });

export const putBack = ({ host: { host }, down: leftOut }: Lane, after: readonly string[]) =>
  step({ id: `${host}/put-back`, kind: 'put-back', host, title: 'put back into service', leftOut, after });

/** A host that the deploy goes on without gets no requests: it would answer with the old release. */
export const leaveOut = (host: string): LeaveOutStep =>
  step({ id: `${host}/leave-out`, kind: 'leave-out', host, title: 'leave out', lasting: false, after: [] });

/** One that is out already is so for every web host: one of them may have been away when the others were told. */
export const keepOut = (host: string): LeaveOutStep =>
  step({
    id: `${host}/keep-out`,
    kind: 'leave-out',
    host,
    title: 'keep out of service',
    lasting: true,
    after: [],
  });

export function migrateStep(
  host: string,
  release: string,
  command: readonly string[],
  after: readonly string[],
): MigrateStep {
  return step({
    id: 'migrate',
    kind: 'migrate',
    host,
    title: `migrate for ${release}`,
    release,
    command,
    after,
  });
}

export function bakeStep(
  release: string,
  hosts: readonly string[],
  { bakeMs, slowdown }: Canary,
  after: readonly string[],
): BakeStep {
  const title = `bake ${release} on ${hosts.join(', ')}`;
  return step({ id: 'bake', kind: 'bake', title, release, hosts, ms: bakeMs, slowdown, after });
}

/** Steps that no other waits for. */
function lastOf(steps: readonly ReleaseStep[]): ReleaseStep[] {
  const followed = new Set(steps.flatMap((one) => one.after ?? []));
  return steps.filter((one) => !followed.has(one.id));
}

/**
 * After everything else, so that the whole roll-out is looked at once more as one; but beside instances that answer their last
 * requests, which changes nothing any more.
 */
export function holdAfter(roll: readonly ReleaseStep[], release: string): ReleaseStep {
  const draining = new Set(lastOf(roll).filter(({ kind }) => kind === 'drain'));
  const after = idsOf(lastOf(roll.filter((one) => !draining.has(one))));
  return { id: 'hold', kind: 'hold', title: `hold ${release} on all app hosts`, release, after };
}
