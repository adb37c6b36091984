import { type Lane, runs } from './lanes.js';
import type { Modules } from './modules.js';
import type { BakeStep, LeaveOutStep, MigrateStep, ModulesStep, ReleaseStep } from './steps.js';

/** Keeps the kind of a step literal. */
const step = <const S extends ReleaseStep>(one: S): S => one;

/** A release on its way to the hosts. */
export interface Shipment {
  readonly release: string;
  /** SHA-256 of its artifact; null when it is on the hosts already, and only there. */
  readonly sha256: string | null;
  /** What is built for it, and the host that builds it, or has it; null where nothing is. */
  readonly modules: (Modules & { readonly source: string }) | null;
  /** The host on which it is loaded before any of its instances takes the place of another; null for none. */
  readonly loadOn: string | null;
}

/**
 * Upload, modules and compile check, as far as they are not done.
 *
 * @param after what has to come first
 * @param turn the upload of another host for which this one's waits
 */
function prepare(
  { release, sha256, modules, loadOn }: Shipment,
  { host: state }: Lane,
  after: readonly string[],
  turn: string | undefined,
): ReleaseStep[] {
  const host = state.host;
  if (runs(state, release)) return [];
  const there = sha256 === null || state.releases.some(({ id }) => id === release);
  const upload = step({
    id: `${host}/upload`,
    kind: 'upload',
    host,
    title: `upload ${release}`,
    release,
    sha256: sha256 ?? '',
    after: turn === undefined ? after : [...after, turn],
  });
  const uploaded = there ? [] : [upload];
  const built = modules === null ? [] : [modulesStep(host, release, modules, idsOf(uploaded, after))];
  const compile = step({
    id: `${host}/compile`,
    kind: 'compile',
    host,
    title: `compile ${release}`,
    release,
    load: host === loadOn,
    after: idsOf(built, idsOf(uploaded, after)),
  });
  return [...uploaded, ...built, compile];
}

/** So many hosts share the line at once: the first ones start their instances while the others still get theirs. */
const UPLOADS = 4;

/** All lanes prepared side by side, but for the uploads, which wait for one another. */
export function prepareAll(
  shipment: Shipment,
  lanes: readonly Lane[],
  after: readonly string[],
): ReleaseStep[][] {
  const uploads: string[] = [];
  return lanes.map((lane) => {
    const steps = prepare(shipment, lane, after, uploads.at(-UPLOADS));
    uploads.push(...idsOf(steps.filter(({ kind }) => kind === 'upload')));
    return steps;
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

export const putBack = (host: string, after: readonly string[]) =>
  step({ id: `${host}/put-back`, kind: 'put-back', host, title: 'put back into service', after });

/** A host that the deploy goes on without gets no requests: it would answer with the old release. */
export const leaveOut = (host: string): LeaveOutStep =>
  step({ id: `${host}/leave-out`, kind: 'leave-out', host, title: 'leave out', after: [] });

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
  ms: number,
  after: readonly string[],
): BakeStep {
  const title = `bake ${release} on ${hosts.join(', ')}`;
  return step({ id: 'bake', kind: 'bake', title, release, hosts, ms, after });
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
