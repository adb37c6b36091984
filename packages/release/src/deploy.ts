import {
  execute,
  type Failure,
  type Journal,
  noJournal,
  type Outcome,
  type StepEvent,
  undoSteps,
} from '@perlstack/procedure';
import type { Remote } from '@perlstack/remote';
import { type Inventory, messageOf, type Stack, UserError } from '@perlstack/stack';
import { type Artifact, checkArtifact } from './artifact.js';
import { handlers, markBad } from './handlers.js';
import { type Hands, ReleaseFault } from './hands.js';
import { acquire, type Lease, type Owner } from './lease.js';
import { observe } from './observe.js';
import { type Plan, plan, type Strategy, type Wanted } from './plan.js';
import { type DeployResult, irreducibleSeconds, serversOf } from './result.js';
import { type Site, siteOf, type Timings, upstreamAddress } from './site.js';
import type { LockStep, ReleaseStep } from './steps.js';
import { requireSupported } from './supported.js';
import type { Observed } from './world.js';

export interface ReleaseOptions {
  readonly stack: Stack;
  readonly inventory: Inventory;
  readonly remote: Remote;
  /** Id of the release: small letters, digits, dots, dashes and underscores. */
  readonly release: string;
  /** The artifact's file, and what it must hash to if the build said so. */
  readonly artifact: { readonly path: string; readonly sha256?: string };
  /** Default `socket`. */
  readonly strategy?: Strategy;
  readonly signal?: AbortSignal;
  readonly timings?: Partial<Timings>;
}

export interface DeployOptions extends ReleaseOptions {
  readonly owner: Owner;
  /** Where steps are noted before they change anything; `finish` reads it. */
  readonly journal?: Journal;
  readonly onEvent?: (event: StepEvent) => void;
  /** Told what will be done, once that is known. */
  readonly onPlan?: (plan: Plan, observed: Observed) => void;
}

export const LOCK: LockStep = { id: 'lock', kind: 'lock', title: 'deploy lock' };

/**
 * What a deploy would do; changes nothing and takes no lock.
 *
 * @throws UserError as `deploy` does.
 */
export async function preview(
  options: ReleaseOptions,
): Promise<{ plan: Plan; observed: Observed; artifact: Artifact }> {
  const site = siteOf(options.stack, options.inventory, options.remote, options.timings);
  const artifact = await readArtifact(options);
  const observed = await observe(site, options.release, options.signal);
  return { plan: plan(wantedOf(options, site, artifact), observed), observed, artifact };
}

/**
 * Rolls a release out over all app hosts, or puts everything back.
 *
 * @throws UserError for what the user can mend before anything was changed: the artifact, a host that cannot be reached or
 *   is not configured, no room, another deploy under way.
 */
export async function deploy(options: DeployOptions): Promise<DeployResult> {
  const start = performance.now();
  const site = siteOf(options.stack, options.inventory, options.remote, options.timings);
  const artifact = await readArtifact(options);
  const journal = options.journal ?? noJournal;
  const lease = await lock(site, options, journal);
  const notes = lease.remark === undefined ? [] : [lease.remark];
  let result: DeployResult;
  try {
    const observed = await observe(site, options.release, options.signal);
    const steps = plan(wantedOf(options, site, artifact), observed);
    options.onPlan?.(steps, observed);
    result = await rollOut(options, site, steps, lease, journal);
  } finally {
    await unlock(lease, journal, notes);
  }
  const seconds = (performance.now() - start) / 1_000;
  return { ...result, seconds, notes: [...notes, ...result.notes] };
}

async function lock(site: Site, options: DeployOptions, journal: Journal): Promise<Lease> {
  journal.append({ step: LOCK, state: 'started' });
  try {
    return await acquire(site, options.owner, options.release);
  } catch (error) {
    // Refused, or not reached at all: there is no lock of ours. After any other failure there may be one.
    if (error instanceof UserError) journal.append({ step: LOCK, state: 'undone' });
    throw error;
  }
}

/** A lock that cannot be removed frees itself: no reason to call a deploy failed that was not. */
async function unlock(lease: Lease, journal: Journal, notes: string[]): Promise<void> {
  try {
    await lease.release();
    journal.append({ step: LOCK, state: 'undone' });
  } catch (error) {
    notes.push(`the deploy lock is left to expire: ${messageOf(error)}`);
  }
}

const RELEASE_ID = /^[a-z0-9][a-z0-9._-]{0,62}$/;

async function readArtifact({ release, artifact, stack }: ReleaseOptions): Promise<Artifact> {
  requireSupported(stack);
  if (!RELEASE_ID.test(release)) {
    throw new UserError(
      `"${release}" is no release id: up to 63 small letters, digits, dots, dashes and underscores, starting with a letter or digit`,
    );
  }
  const { sha256 } = artifact;
  return checkArtifact(artifact.path, { psgi: stack.app.psgi, ...(sha256 === undefined ? {} : { sha256 }) });
}

function wantedOf(options: ReleaseOptions, site: Site, artifact: Artifact): Wanted {
  return {
    release: options.release,
    sha256: artifact.sha256,
    bytes: artifact.bytes,
    unpackedBytes: artifact.unpackedBytes,
    strategy: options.strategy ?? 'socket',
    units: site.app.units,
    keepReleases: site.app.keepReleases,
    addresses: Object.fromEntries(site.appHosts.map(({ name }) => [name, upstreamAddress(site, name)])),
  };
}

async function rollOut(
  options: DeployOptions,
  site: Site,
  steps: Plan,
  lease: Lease,
  journal: Journal,
): Promise<DeployResult> {
  const cut = new Map<string, number>();
  const onCut = (host: string, requests: number): void => void cut.set(host, (cut.get(host) ?? 0) + requests);
  const hands: Hands = { site, owner: options.owner, artifact: options.artifact.path, onCut };
  const events: StepEvent[] = [];
  const onEvent = (event: StepEvent): void => {
    events.push(event);
    options.onEvent?.(event);
  };
  const run: Run = { hands, steps, lease, journal, onEvent, cancel: options.signal };
  const end = await settle(run, options.release);
  const servers = serversOf(
    site.appHosts.map(({ name }) => name),
    events,
    cut,
  );
  return {
    release: options.release,
    previous: steps.previous,
    servers,
    seconds: 0,
    irreducibleSeconds: irreducibleSeconds(servers),
    evidence: [],
    unresolved: [],
    notes: [],
    ...end,
  };
}

interface Run {
  readonly hands: Hands;
  readonly steps: Plan;
  readonly lease: Lease;
  readonly journal: Journal;
  readonly onEvent: (event: StepEvent) => void;
  readonly cancel: AbortSignal | undefined;
}

type End = Pick<DeployResult, 'outcome'> &
  Partial<Pick<DeployResult, 'reason' | 'evidence' | 'unresolved' | 'notes'>>;

async function settle(run: Run, release: string): Promise<End> {
  const { hands, steps, lease, journal, onEvent, cancel } = run;
  if (steps.roll.length + steps.finish.length === 0) return { outcome: 'nothing-to-do' };
  const signal = cancel ? AbortSignal.any([cancel, lease.lost]) : lease.lost;
  const act = handlers(hands);
  const rolled = await execute(steps.roll, act, {
    signal,
    onEvent,
    journal: { ...journal, settle: () => undefined },
  });
  if (rolled.state !== 'succeeded') return goBack(run, rolled, release);
  // From here on nobody goes back: what the journal still holds is the lock alone.
  journal.settle();
  journal.append({ step: LOCK, state: 'started' });
  const finished = await execute(steps.finish, act, { signal, onEvent });
  const left = finished.failures.map(({ error }) => `left to the next deploy: ${messageOf(error)}`);
  if (finished.state === 'cancelled')
    left.push('cancelled while cleaning up: old instances are left to the next deploy');
  return { outcome: 'succeeded', notes: left };
}

/** Undoes what was started, last first, unless the lock is gone: then another deploy is at work on the same hosts. */
async function goBack(run: Run, rolled: Outcome, release: string): Promise<End> {
  const { hands, lease, journal, onEvent } = run;
  const [failure] = rolled.failures;
  const reason = failure ? messageOf(failure.error) : 'cancelled';
  if (lease.lost.aborted) {
    const why = messageOf(lease.lost.reason);
    return { outcome: 'failed', reason: `${why}; nothing was put back, as another deploy may be at work` };
  }
  const started = rolled.events
    .filter(({ state }) => state === 'started')
    .map(({ step }) => step as ReleaseStep);
  const undone = await undoSteps(started.reverse(), handlers(hands), { journal, onEvent });
  if (failure && BLAMES_RELEASE.has(failure.step.kind)) await markBad(hands, release);
  const evidence = failure?.error instanceof ReleaseFault ? failure.error.evidence : [];
  const unresolved = undone.map(describeFailure);
  const outcome = unresolved.length > 0 ? 'failed' : failure ? 'rolled-back' : 'cancelled';
  return { outcome, reason, evidence, unresolved };
}

const describeFailure = ({ step, error }: Failure): string =>
  `${step.host ?? ''} ${step.title}: ${messageOf(error)}`.trim();

/** Steps whose failure says something about the release; a broken upload or a lost connection does not. */
const BLAMES_RELEASE: ReadonlySet<string> = new Set(['compile', 'prove', 'gate', 'hold']);
