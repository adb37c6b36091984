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
import { hostsOf, type Inventory, messageOf, type Stack, UserError } from '@perlstack/stack';
import { type Artifact, checkArtifact } from './artifact.js';
import { appendAudit, type AuditEntry, entryOf, historyOf, requireNewest, type Work } from './audit.js';
import type { CanaryVerdict } from './canary/judge.js';
import { handlers, setAside } from './handlers.js';
import { type Hands, ReleaseFault } from './hands.js';
import type { Lease, Owner } from './lease.js';
import { type Closing, LOCK, lockAlone, type Locked, unlock } from './lock.js';
import { NEXT_RUN } from './next-run.js';
import { askAgain, observe } from './observe.js';
import { goodInService } from './lanes.js';
import { describeFailure, goneIn, shutOut } from './out-of-service.js';
import { checkBuild, modulesOf, requirePerl } from './modules.js';
import { type Finding, findingsOf } from './preflight/findings.js';
import { DEFAULT_PACE, type Pace, type Plan, plan, type Strategy, type Wanted } from './plan.js';
import { leaveOut } from './plan-steps.js';
import { type DeployResult, irreducibleSeconds, serversOf } from './result.js';
import { releaseBefore, releaseInService } from './rollback.js';
import { type Site, siteOf, type Timings, upstreamAddress } from './site.js';
import type { LockStep, ReleaseStep } from './steps.js';
import { givingUp, type Tolerance, tolerating } from './tolerate.js';
import type { Observed } from './world.js';

/** What is asked of a deploy, or of a rollback or repair, which bring no artifact: the release is on a host. */
export interface ReleaseOptions extends Partial<Pace> {
  readonly stack: Stack;
  readonly inventory: Inventory;
  readonly remote: Remote;
  /**
   * Id of the release: small letters, digits, dots, dashes and underscores. A rollback that names none goes to the release
   * before the one that serves, a repair to that which serves.
   */
  readonly release?: string;
  /** The artifact's file, and what it must hash to if the build said so; none means a rollback or a repair. */
  readonly artifact?: { readonly path: string; readonly sha256?: string };
  /** Brings hosts that were away, are new or ill to the release that the others serve, and back into service. */
  readonly repair?: boolean;
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
  const release = options.release ?? chosen(site, options, seen);
  const observed = options.release === undefined ? await askAgain(site, seen, release, signal) : seen;
  if (artifact !== null) requirePerl(artifact.build, observed.facts.app);
  const steps = plan(wantedOf(options, site, release, artifact, observed), observed);
  const build =
    artifact === null ? [] : checkBuild(steps.roll, observed.app, observed.facts.app, artifact.build);
  const warnings =
    steps.roll.length === 0
      ? []
      : [...warningsOf(site, options, observed), ...build, ...uncomparedOf(options, steps)];
  // What a repair does not succeed with leaves the release in service, whatever those had that it was about.
  const previous = options.repair === true ? release : steps.previous;
  return { release, observed, plan: { ...steps, previous }, warnings };
}

/** The release that is meant when nobody names one. */
const chosen = (site: Site, { repair }: ReleaseOptions, seen: Observed): string =>
  repair === true ? releaseInService(seen, addressesOf(site)) : releaseBefore(seen);

/** Address and port by which the web tier knows each app host. */
const addressesOf = (site: Site): Readonly<Record<string, string>> =>
  Object.fromEntries(site.appHosts.map(({ name }) => [name, upstreamAddress(site, name)]));

/** A canary that is all there is proves nothing. */
function uncomparedOf({ canary }: ReleaseOptions, { roll }: Plan): string[] {
  if (!canary || roll.some(({ kind }) => kind === 'bake') || !roll.some(({ kind }) => kind === 'switch'))
    return [];
  return [`no server is left beside a canary of ${canary.hosts} to compare it with: it is not watched`];
}

/**
 * What the hosts are asked to do is only as true as their configuration.
 *
 * @throws UserError with all that would lose requests, or deploy something else
 */
function warningsOf(site: Site, { strategy = 'socket' }: ReleaseOptions, { facts }: Observed): string[] {
  const { releases, socketLink } = site.layout;
  const addresses = Object.values(addressesOf(site));
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
  const named = (tier: string): string[] => hostsOf(options.inventory, tier).map(({ name }) => name);
  options.remote.warm(named('app'), { sudo: true });
  // Gates ask from there, which takes no root.
  options.remote.warm(named('web'));
  const artifact = await readArtifact(options);
  const journal = options.journal ?? noJournal;
  const notes: string[] = [];
  const note = (remark: string): void => void (notes.includes(remark) || notes.push(remark));
  const { site, lease, seen } = await lockFor(options, journal, note);
  let result: DeployResult;
  let closing: Closing | null = null;
  try {
    const prospect = await prospectOf(site, options, artifact, seen);
    if (artifact !== null && options.allowOlder !== true) {
      requireNewest(seen.audit, options.owner, prospect.release, goodInService(seen));
    }
    notes.push(...prospect.warnings);
    options.onPlan?.(prospect);
    const work = workOf(options, prospect);
    // Who comes after a kill tells the log of the right release.
    const step: LockStep = { ...LOCK, work };
    journal.append({ step, state: 'started' });
    ({ result, closing } = await audited(options, site, work, prospect, () =>
      rollOut(options, site, prospect, lease, journal),
    ));
  } finally {
    await unlock(site, lease, closing, journal, note);
  }
  const seconds = (performance.now() - start) / 1_000;
  return { ...result, seconds, notes: [...notes, ...result.notes] };
}

function lockFor(
  options: DeployOptions,
  journal: Journal,
  note: (remark: string) => void,
): Promise<Locked<Observed>> {
  const { owner, lockWaitMs: waitMs = 0, maxFailures: maxMissing = DEFAULT_PACE.maxFailures } = options;
  const { signal, onEvent } = options;
  const site = siteOf(options.stack, options.inventory, options.remote, options.timings);
  const look = (): Promise<Observed> => observe(site, options.release, signal);
  const release = nameOf(options);
  return lockAlone({ site, owner, release, waitMs, maxMissing, journal, signal, onEvent, note, look });
}

const workOf = (options: DeployOptions, { release, plan: { previous } }: Prospect): Work => ({
  kind: kindOf(options),
  ...{ release, previous },
});

/**
 * Notes on every host that a run began; one that changes nothing leaves no note.
 *
 * @returns also what is to be noted of its end
 */
async function audited(
  { owner }: DeployOptions,
  site: Site,
  work: Work,
  { plan: { roll, finish }, observed }: Prospect,
  carryOut: () => Promise<DeployResult>,
): Promise<{ result: DeployResult; closing: Closing | null }> {
  if (roll.length + finish.length === 0) return { result: await carryOut(), closing: null };
  const hosts = observed.app.map(({ host }) => host);
  const note = (event: AuditEntry['event'], reason?: string): AuditEntry =>
    entryOf(owner, { event, ...work, ...(reason ? { reason } : {}) });
  // The work first: what is asked of a host first is there a round trip earlier.
  const working = carryOut();
  const [result] = await Promise.all([working, appendAudit(site, hosts, note('began'))]);
  if (result.outcome === 'nothing-to-do') return { result, closing: null };
  const gone = result.left.map(({ host }) => host);
  const left = hosts.filter((host) => !gone.includes(host));
  return { result, closing: { hosts: left, entry: note(result.outcome, result.reason) } };
}

/** What a lock says of the release. */
const nameOf = ({ release, repair }: ReleaseOptions): string =>
  release ?? (repair === true ? 'the release that serves' : 'the release before');

function kindOf({ artifact, repair }: ReleaseOptions): AuditEntry['kind'] {
  if (artifact !== undefined) return 'deploy';
  return repair === true ? 'repair' : 'rollback';
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

/** A rollback, or a repair, does everything at once: it skips the canary, runs no migration, and is not held up by batches. */
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
    vendoredBytes: artifact?.build.vendoredBytes ?? 0,
    strategy: options.strategy ?? 'socket',
    units: app.units,
    keepReleases: app.keepReleases,
    modules: artifact && modulesOf(options.stack, artifact.build, facts.app),
    migrate: artifact === null ? null : (app.hooks.migrate?.split(' ') ?? null),
    addresses: addressesOf(site),
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
    // Whoever had the lock before may have put one back a moment ago.
    back: { at: performance.now() },
    audit: observed.audit,
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
    maxFailures: Math.min(
      options.maxFailures ?? DEFAULT_PACE.maxFailures,
      observed.unreachable.length + steps.spare,
    ),
    needed: new Map(steps.roll.map((step) => [step.id, indispensable(step)])),
    journal,
    onEvent,
  };
  const run: Run = { hands, steps, lease, journal, onEvent, tolerance, cancel: options.signal };
  const end = await settle(run, release);
  const servers = serversOf(inOrder(site, steps), events, cut);
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

/** App hosts as the roll-out comes to them; those that it does not touch are the last. */
function inOrder({ appHosts }: Site, { roll }: Plan): string[] {
  const names = appHosts.map(({ name }) => name);
  const touched = roll.filter(({ kind }) => kind === 'gate').flatMap(({ host }) => host ?? []);
  return [...new Set([...touched, ...names])].filter((host) => names.includes(host));
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
  const left = finished.failures.map(({ error }) => `left to ${NEXT_RUN}: ${messageOf(error)}`);
  if (finished.state === 'cancelled')
    left.push(`cancelled while cleaning up: old instances are left to ${NEXT_RUN}`);
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
  const gone = goneIn(failures);
  for (const [host, reason] of gone) hands.left.set(host, { reason, restored: false });
  await setAside(hands, release, failure !== undefined && blames(failure, gone));
  const evidence = failure?.error instanceof ReleaseFault ? failure.error.evidence : [];
  const unresolved = [...failures.map(describeFailure), ...(await shutOut(hands, gone))];
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

/** A host that is gone does not answer, whatever it was asked for. */
function blames({ step: { kind, host } }: Failure, gone: ReadonlyMap<string, string>): boolean {
  const excused = host === undefined ? kind === 'hold' && gone.size > 0 : gone.has(host);
  return BLAMES_RELEASE.has(kind) && !excused;
}

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
