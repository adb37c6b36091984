import { setTimeout as sleep } from 'node:timers/promises';
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
import { appendAudit, type AuditEntry, entryOf, historyOf, requireNewest } from './audit.js';
import type { CanaryVerdict } from './canary/judge.js';
import { handlers, setAside } from './handlers.js';
import { type Hands, ReleaseFault } from './hands.js';
import { acquirePatiently, type Lease, type Owner } from './lease.js';
import { askAgain, isOutOfReach, observe } from './observe.js';
import { setServer } from './out-of-service.js';
import { checkBuild, modulesOf, requireArchname } from './modules.js';
import { type Finding, findingsOf } from './preflight/findings.js';
import { DEFAULT_PACE, type Pace, type Plan, plan, type Strategy, type Wanted } from './plan.js';
import { leaveOut } from './plan-steps.js';
import { type DeployResult, irreducibleSeconds, serversOf } from './result.js';
import { releaseBefore } from './rollback.js';
import { type Site, siteOf, type Timings, upstreamAddress } from './site.js';
import type { LockStep, ReleaseStep } from './steps.js';
import { givingUp, type Tolerance, tolerating } from './tolerate.js';
import type { Observed } from './world.js';

/** What is asked of a deploy, or of a rollback, which brings no artifact: the release is on the hosts. */
export interface ReleaseOptions extends Partial<Pace> {
  readonly stack: Stack;
  readonly inventory: Inventory;
  readonly remote: Remote;
  /**
   * Id of the release: small letters, digits, dots, dashes and underscores. A rollback that names none goes to the release
   * before the one that serves.
   */
  readonly release?: string;
  /** The artifact's file, and what it must hash to if the build said so; none means a rollback. */
  readonly artifact?: { readonly path: string; readonly sha256?: string };
  /** Default `socket`. */
  readonly strategy?: Strategy;
  readonly signal?: AbortSignal;
  readonly timings?: Partial<Timings>;
}

export interface DeployOptions extends ReleaseOptions {
  readonly owner: Owner;
  /** How long to wait for a deploy that is under way, in milliseconds; default 0: refuse at once. */
  readonly lockWaitMs?: number;
  /** Deploy although a later run of the same workflow has deployed. */
  readonly allowOlder?: boolean;
  /** Where steps are noted before they change anything; `finish` reads it. */
  readonly journal?: Journal;
  readonly onEvent?: (event: StepEvent) => void;
  /** Told what will be done, once that is known. */
  readonly onPlan?: (prospect: Prospect) => void;
}

export const LOCK: LockStep = { id: 'lock', kind: 'lock', title: 'deploy lock' };

/** What a deploy would do, and what it was decided upon. */
export interface Prospect {
  readonly release: string;
  readonly plan: Plan;
  readonly observed: Observed;
  /** What may lose requests, in the words of a warning. */
  readonly warnings: readonly string[];
}

/**
 * What a deploy would do; changes nothing and takes no lock.
 *
 * @throws UserError as `deploy` does.
 */
export async function preview(options: ReleaseOptions): Promise<Prospect> {
  const site = siteOf(options.stack, options.inventory, options.remote, options.timings);
  const artifact = await readArtifact(options);
  return prospectOf(site, options, artifact, await observe(site, options.release, options.signal));
}

async function prospectOf(
  site: Site,
  options: ReleaseOptions,
  artifact: Artifact | null,
  seen: Observed,
): Promise<Prospect> {
  const { signal } = options;
  const release = options.release ?? releaseBefore(seen);
  const observed = options.release === undefined ? await askAgain(site, seen, release, signal) : seen;
  if (artifact !== null) requireArchname(artifact.build, observed.facts.app);
  const steps = plan(wantedOf(options, site, release, artifact, observed), observed);
  const build =
    artifact === null ? [] : checkBuild(steps.roll, observed.app, observed.facts.app, artifact.build);
  const warnings = steps.roll.length === 0 ? [] : [...warningsOf(site, options, observed), ...build];
  return { release, observed, plan: steps, warnings };
}

/**
 * What the hosts are asked to do is only as true as their configuration.
 *
 * @throws UserError with all that would lose requests, or deploy something else
 */
function warningsOf(site: Site, { strategy = 'socket' }: ReleaseOptions, { facts }: Observed): string[] {
  const { releases, socketLink } = site.layout;
  const addresses = site.appHosts.map(({ name }) => upstreamAddress(site, name));
  const intent = { strategy, releases, socketLink, drainTimeout: site.app.drainTimeout, addresses };
  const findings = findingsOf(intent, facts.app, facts.web);
  const text = ({ host, text: what }: Finding): string => `${host}: ${what}`;
  const refused = findings.filter(({ severity }) => severity === 'refuse').map(text);
  if (refused.length > 0) throw new UserError(`${refused.join('. ')}. Nothing was changed`);
  return findings.map(text);
}

/**
 * Rolls a release out over all app hosts, or puts everything back.
 *
 * @throws UserError for what the user can mend before anything was changed: the artifact, a host that cannot be reached or
 *   is not configured, no room, another deploy under way, a newer one that was there before.
 */
export async function deploy(options: DeployOptions): Promise<DeployResult> {
  const start = performance.now();
  options.remote.warm(
    options.inventory.hosts.filter(({ tier }) => tier === 'app' || tier === 'web').map(({ name }) => name),
  );
  const artifact = await readArtifact(options);
  const journal = options.journal ?? noJournal;
  const notes: string[] = [];
  const early = lookEarly(options);
  const { site, lease } = await lock(options, journal, notes);
  const known = stillTrue(early, site, lease) ? early.seen : undefined;
  if (lease.remark !== undefined) notes.push(lease.remark);
  let result: DeployResult;
  let closing: Closing | null = null;
  try {
    const seen = await (known ?? observe(site, options.release, options.signal));
    const prospect = await prospectOf(site, options, artifact, seen);
    if (artifact !== null && options.allowOlder !== true) {
      requireNewest(prospect.observed.audit, options.owner, prospect.release);
    }
    notes.push(...prospect.warnings);
    options.onPlan?.(prospect);
    ({ result, closing } = await audited(options, site, prospect, () =>
      rollOut(options, site, prospect, lease, journal),
    ));
  } finally {
    await unlock(site, lease, closing, journal, notes);
  }
  const seconds = (performance.now() - start) / 1_000;
  return { ...result, seconds, notes: [...notes, ...result.notes] };
}

/** What the hosts showed while the lock was asked for. */
interface EarlyLook {
  readonly seen: Promise<Observed>;
  readonly lockHost: string;
  /** By `performance.now()`. */
  readonly began: number;
}

/** Looks at the hosts beside the taking of the lock: one after the other, each would cost the way to them. */
function lookEarly(options: DeployOptions): EarlyLook {
  const site = siteOf(options.stack, options.inventory, options.remote, options.timings);
  const began = performance.now();
  const seen = observe(site, options.release, options.signal);
  // Where the lock is refused, nobody asks what was seen.
  seen.catch(() => undefined);
  return { seen, lockHost: site.lockHost, began };
}

/** What was seen before the lock was held is true where nobody else has held it since the first look began. */
const stillTrue = ({ lockHost, began }: EarlyLook, site: Site, { untouchedMs }: Lease): boolean =>
  site.lockHost === lockHost && untouchedMs > performance.now() - began;

/** What the log on these hosts is to say of a run at its end. */
interface Closing {
  readonly hosts: readonly string[];
  readonly entry: AuditEntry;
}

/**
 * Notes on every host that a run began; one that changes nothing leaves no note.
 *
 * @returns also what is to be noted of its end
 */
async function audited(
  { owner, artifact }: DeployOptions,
  site: Site,
  { plan: { roll, finish, previous }, release, observed }: Prospect,
  work: () => Promise<DeployResult>,
): Promise<{ result: DeployResult; closing: Closing | null }> {
  if (roll.length + finish.length === 0) return { result: await work(), closing: null };
  const kind = artifact === undefined ? 'rollback' : 'deploy';
  const hosts = observed.app.map(({ host }) => host);
  const note = (event: AuditEntry['event'], reason?: string): AuditEntry =>
    entryOf(owner, { event, kind, release, previous, ...(reason ? { reason } : {}) });
  // The work first: what is asked of a host first is there a round trip earlier.
  const working = work();
  const [result] = await Promise.all([working, appendAudit(site, hosts, note('began'))]);
  if (result.outcome === 'nothing-to-do') return { result, closing: null };
  const gone = result.left.map(({ host }) => host);
  const left = hosts.filter((host) => !gone.includes(host));
  return { result, closing: { hosts: left, entry: note(result.outcome, result.reason) } };
}

/**
 * Takes the lock on the host that keeps it. Where that one is gone and hosts may be missing, the next one by name keeps it,
 * once a lease on the first would have been lost to whoever held it.
 */
async function lock(
  options: DeployOptions,
  journal: Journal,
  notes: string[],
): Promise<{ site: Site; lease: Lease }> {
  const { owner, onEvent, signal, maxFailures = DEFAULT_PACE.maxFailures } = options;
  const site = siteOf(options.stack, options.inventory, options.remote, options.timings);
  const candidates = site.appHosts.map(({ name }) => name).sort();
  journal.append({ step: LOCK, state: 'started' });
  for (const [missing, lockHost] of candidates.entries()) {
    try {
      const at = { ...site, lockHost };
      const lease = await acquirePatiently(at, owner, options.release ?? 'the release before', {
        waitMs: options.lockWaitMs ?? 0,
        ...(signal ? { signal } : {}),
        onWait: (who) =>
          onEvent?.({ step: LOCK, state: 'progress', at: Date.now(), message: `waiting: ${who}` }),
      });
      if (missing > 0) await sleep(site.timings.leaseMs, undefined, signal ? { signal } : {});
      return { site: at, lease };
    } catch (error) {
      if (isOutOfReach(error) && missing < Math.min(maxFailures, candidates.length - 1)) {
        notes.push(
          `${lockHost}, which keeps the deploy lock, is out of reach: ${candidates[missing + 1]} keeps it`,
        );
        continue;
      }
      // Refused, or not reached at all: there is no lock of ours. After any other failure there may be one.
      if (error instanceof UserError) journal.append({ step: LOCK, state: 'undone' });
      throw error;
    }
  }
  throw new Error('a site has at least one app host');
}

/**
 * Notes how the run ended, and gives the lock back. A lock that cannot be removed frees itself: no reason to call a deploy failed
 * that was not.
 */
async function unlock(
  site: Site,
  lease: Lease,
  closing: Closing | null,
  journal: Journal,
  notes: string[],
): Promise<void> {
  const hosts = closing?.hosts ?? [];
  const note = hosts.includes(site.lockHost) ? closing?.entry : undefined;
  const others = hosts.filter((host) => host !== site.lockHost);
  try {
    await Promise.all([lease.release(note), ...(closing ? [appendAudit(site, others, closing.entry)] : [])]);
    journal.append({ step: LOCK, state: 'undone' });
  } catch (error) {
    notes.push(`the deploy lock is left to expire: ${messageOf(error)}`);
  }
}

const RELEASE_ID = /^[a-z0-9][a-z0-9._-]{0,62}$/;

async function readArtifact({ release, artifact, stack }: ReleaseOptions): Promise<Artifact | null> {
  if (release !== undefined && !RELEASE_ID.test(release)) {
    throw new UserError(
      `"${release}" is no release id: up to 63 small letters, digits, dots, dashes and underscores, starting with a letter or digit`,
    );
  }
  if (artifact === undefined) return null;
  if (release === undefined)
    throw new UserError('a deploy needs a release id; only a rollback chooses one itself');
  const { sha256 } = artifact;
  return checkArtifact(artifact.path, { psgi: stack.app.psgi, ...(sha256 === undefined ? {} : { sha256 }) });
}

/** A rollback puts everything back at once: it skips the canary, runs no migration, and is not held up by batches. */
function paceOf(options: ReleaseOptions): Pace {
  const { batch, canary, floor, maxFailures } = options;
  const asked = {
    ...(batch === undefined ? {} : { batch }),
    ...(canary === undefined ? {} : { canary }),
    ...(floor === undefined ? {} : { floor }),
    ...(maxFailures === undefined ? {} : { maxFailures }),
  };
  const hurry = options.artifact === undefined ? { batch: [{ percent: 100 }], canary: null } : {};
  return { ...DEFAULT_PACE, ...asked, ...hurry };
}

function wantedOf(
  options: ReleaseOptions,
  site: Site,
  release: string,
  artifact: Artifact | null,
  { facts }: Observed,
): Wanted {
  const { app } = site;
  return {
    ...paceOf(options),
    release,
    sha256: artifact?.sha256 ?? null,
    bytes: artifact?.bytes ?? 0,
    unpackedBytes: artifact?.unpackedBytes ?? 0,
    strategy: options.strategy ?? 'socket',
    units: app.units,
    keepReleases: app.keepReleases,
    modules: artifact && modulesOf(options.stack, artifact.build, facts.app),
    migrate: artifact === null ? null : (app.hooks.migrate?.split(' ') ?? null),
    addresses: Object.fromEntries(site.appHosts.map(({ name }) => [name, upstreamAddress(site, name)])),
    places: Object.fromEntries(site.appHosts.map(({ name, placement }) => [name, placement])),
  };
}

async function rollOut(
  options: DeployOptions,
  wholeSite: Site,
  { plan: steps, observed, release }: Prospect,
  lease: Lease,
  journal: Journal,
): Promise<DeployResult> {
  const site = withoutWebHosts(wholeSite, observed);
  const cut = new Map<string, number>();
  let canary: CanaryVerdict | null = null;
  const hands: Hands = {
    site,
    owner: options.owner,
    left: new Map(observed.unreachable.map(({ host, reason }) => [host, { reason, restored: false }])),
    packs: new Map(),
    onCanary: (verdict) => void (canary = verdict),
    onCut: (host, requests) => void cut.set(host, (cut.get(host) ?? 0) + requests),
    ...(options.artifact ? { artifact: options.artifact.path } : {}),
  };
  const events: StepEvent[] = [];
  const onEvent = (event: StepEvent): void => {
    events.push(event);
    options.onEvent?.(event);
  };
  const tolerance: Tolerance = {
    maxFailures: options.maxFailures ?? DEFAULT_PACE.maxFailures,
    never: steps.roll.flatMap(indispensable),
    journal,
    onEvent,
  };
  const run: Run = { hands, steps, lease, journal, onEvent, tolerance, cancel: options.signal };
  const end = await settle(run, release);
  const servers = serversOf(
    site.appHosts.map(({ name }) => name),
    events,
    cut,
  );
  return {
    release,
    previous: steps.previous,
    servers,
    seconds: 0,
    irreducibleSeconds: irreducibleSeconds(servers),
    left: [...hands.left].map(([host, { reason }]) => ({ host, reason })),
    canary,
    history: historyOf(observed.audit, observed.app),
    evidence: [],
    unresolved: [],
    notes: [],
    ...end,
  };
}

/** A canary that fails has said all there is to say; without a migration, or modules, the others can't go on. */
function indispensable(step: ReleaseStep): readonly string[] {
  if (step.kind === 'bake') return step.hosts;
  if (step.kind === 'migrate') return [step.host];
  return step.kind === 'modules' ? [step.source ?? step.host] : [];
}

const withoutWebHosts = (site: Site, { unreachable }: Observed): Site => ({
  ...site,
  webHosts: site.webHosts.filter(({ name }) => !unreachable.some(({ host }) => host === name)),
});

interface Run {
  readonly hands: Hands;
  readonly steps: Plan;
  readonly lease: Lease;
  readonly journal: Journal;
  readonly onEvent: (event: StepEvent) => void;
  readonly tolerance: Tolerance;
  readonly cancel: AbortSignal | undefined;
}

type End = Pick<DeployResult, 'outcome'> &
  Partial<Pick<DeployResult, 'reason' | 'evidence' | 'unresolved' | 'notes'>>;

async function settle(run: Run, release: string): Promise<End> {
  const { hands, steps, lease, journal, onEvent, tolerance, cancel } = run;
  if (steps.roll.length + steps.finish.length === 0) return { outcome: 'nothing-to-do' };
  const signal = cancel ? AbortSignal.any([cancel, lease.lost]) : lease.lost;
  const act = handlers(hands);
  const rolled = await execute(steps.roll, tolerating(act, hands, tolerance), {
    signal,
    onEvent,
    journal: { ...journal, settle: () => undefined },
  });
  if (rolled.state !== 'succeeded') return goBack(run, rolled, release);
  // From here on nobody goes back: what the journal still holds is the lock alone.
  journal.settle();
  journal.append({ step: LOCK, state: 'started' });
  const finishing = steps.finish.filter(({ host }) => !hands.left.has(host));
  const finished = await execute(finishing, act, { signal, onEvent });
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
  const failures = await undoSteps(toUndo(run, rolled), givingUp(handlers(hands)), { journal, onEvent });
  for (const { step, error } of failures.filter((one) => isOutOfReach(one.error))) {
    if (step.host !== undefined) hands.left.set(step.host, { reason: messageOf(error), restored: false });
  }
  await setAside(hands, release, failure !== undefined && BLAMES_RELEASE.has(failure.step.kind));
  const evidence = failure?.error instanceof ReleaseFault ? failure.error.evidence : [];
  const unresolved = [...failures.map(describeFailure), ...(await shutOut(hands, failures))];
  const outcome = unresolved.length > 0 ? 'failed' : failure ? 'rolled-back' : 'cancelled';
  return { outcome, reason, evidence, unresolved };
}

/** All that was started, last first; a host that was left out on the way has been put back already, and may serve again. */
function toUndo({ hands: { left }, steps }: Run, rolled: Outcome): ReleaseStep[] {
  const started = rolled.events
    .filter(({ state }) => state === 'started')
    .map(({ step }) => step as ReleaseStep)
    .filter(({ host, kind }) => kind === 'leave-out' || host === undefined || !left.has(host));
  const planned = new Set(steps.roll.filter(({ kind }) => kind === 'leave-out').map(({ host }) => host));
  const onTheWay = [...left].filter(([host, { restored }]) => restored && !planned.has(host));
  return [...onTheWay.map(([host]) => leaveOut(host)), ...started.reverse()];
}

/** A host that could not be put back comes up again with whatever it has: it gets no requests until a deploy was there. */
async function shutOut(hands: Hands, failures: readonly Failure[]): Promise<string[]> {
  const names = hands.site.appHosts.map(({ name }) => name);
  const lost = new Set(
    failures.filter(({ error }) => isOutOfReach(error)).map(({ step }) => step.host ?? ''),
  );
  return Promise.all(
    names
      .filter((host) => lost.has(host))
      .map(async (host) => {
        try {
          await setServer(hands, host, 'down', { signal: new AbortController().signal });
          return `${host} gets no requests until the next deploy has brought it up to date`;
        } catch (error) {
          return `${host} could not be taken out of service: ${messageOf(error)}`;
        }
      }),
  );
}

const describeFailure = ({ step, error }: Failure): string =>
  `${step.host ?? ''} ${step.title}: ${messageOf(error)}`.trim();

/** Steps whose failure says something about the release; a broken upload or a lost connection does not. */
const BLAMES_RELEASE: ReadonlySet<string> = new Set([
  'modules',
  'compile',
  'migrate',
  'prove',
  'gate',
  'bake',
  'hold',
]);
