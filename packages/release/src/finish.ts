import { fileJournal, openSteps, type StepEvent, undoSteps } from '@perlstack/procedure';
import type { Remote } from '@perlstack/remote';
import { type Inventory, messageOf, type Stack, UserError } from '@perlstack/stack';
import { appendAudit, entryOf, type Work } from './audit.js';
import { handlers } from './handlers.js';
import type { Hands, LeftOut } from './hands.js';
import { acquire, type Lease, type Owner } from './lease.js';
import { isOutOfReach } from './observe.js';
import { describeFailure, goneIn, shutOut } from './out-of-service.js';
import { lockHosts, type Site, siteOf, type Timings } from './site.js';
import type { LockStep, ReleaseStep } from './steps.js';
import { givingUp } from './tolerate.js';

export interface FinishOptions {
  readonly stack: Stack;
  readonly inventory: Inventory;
  readonly remote: Remote;
  /** The same as the deploy's. */
  readonly owner: Owner;
  /** Path of the deploy's journal. */
  readonly journal: string;
  readonly onEvent?: (event: StepEvent) => void;
  readonly timings?: Partial<Timings>;
}

export interface FinishResult {
  /** Ids of the steps that were put back. */
  readonly undone: readonly string[];
  /** What could not be put back. */
  readonly unresolved: readonly string[];
  /** Why nothing was done, where something was left. */
  readonly note?: string;
}

/**
 * Puts back what a deploy that was cancelled or killed left behind: drained servers, hosts that were switched though the
 * roll-out had not held, new instances, the lock. It touches no connection when the journal has nothing open.
 */
export async function finish(options: FinishOptions): Promise<FinishResult> {
  const open = openSteps<ReleaseStep>(options.journal);
  if (open.length === 0) return { undone: [], unresolved: [] };
  const site = siteOf(options.stack, options.inventory, options.remote, options.timings);
  const work = open.find((step): step is LockStep => step.kind === 'lock')?.work;
  const lease = await leaseOf(site, options.owner, work?.release ?? 'a release');
  if (typeof lease === 'string') {
    return { undone: [], unresolved: [], note: `nothing was put back: ${lease}` };
  }
  try {
    return await putBack(site, options, open, work);
  } finally {
    await lease.release().catch(() => undefined);
  }
}

/**
 * The deploy's own lock, on whichever host it lies: the first may have been out of reach, or have fallen silent on the way. A
 * lock that is not there any more was taken over: a later deploy has been here, and its result stands.
 *
 * @returns or why there is none
 */
async function leaseOf(site: Site, owner: Owner, release: string): Promise<Lease | string> {
  let why = 'the deploy no longer held its lock';
  for (const lockHost of lockHosts(site)) {
    try {
      const lease = await acquire({ ...site, lockHost }, owner, release);
      if (lease.found === 'ours') return lease;
      await lease.release();
      if (lease.found === 'abandoned') return why;
    } catch (error) {
      if (!(error instanceof UserError) && !isOutOfReach(error)) throw error;
      if (!isOutOfReach(error)) return messageOf(error);
      why = messageOf(error);
    }
  }
  return why;
}

async function putBack(
  site: Site,
  options: FinishOptions,
  open: readonly ReleaseStep[],
  work: Work | undefined,
): Promise<FinishResult> {
  const { owner, onEvent } = options;
  const journal = fileJournal(options.journal);
  const steps = open.filter(({ kind }) => kind !== 'lock');
  const hands: Hands = {
    ...{ site, owner, left: new Map<string, LeftOut>(), packs: new Map<string, string>() },
    // As in a deploy: the run that was killed may have put one back a moment ago.
    back: { at: performance.now() },
  };
  const undoing = { journal, ...(onEvent ? { onEvent } : {}) };
  const failures = await undoSteps(steps, givingUp(handlers(hands)), undoing);
  const gone = goneIn(failures);
  const out = await shutOut(hands, gone);
  if (work !== undefined && steps.length > 0) {
    // The log on the hosts would else say for ever that the run began.
    const event = failures.length > 0 ? 'failed' : 'cancelled';
    const reason =
      failures.length > 0 ? 'killed, and not all of it could be put back' : 'killed, and put back';
    const there = site.appHosts.map(({ name }) => name).filter((host) => !gone.has(host));
    await appendAudit(site, there, entryOf(owner, { event, ...work, reason }));
  }
  const failed = new Set(failures.map(({ step }) => step.id));
  for (const step of open) if (step.kind === 'lock') journal.append({ step, state: 'undone' });
  return {
    undone: steps.map(({ id }) => id).filter((id) => !failed.has(id)),
    unresolved: [...failures.map(describeFailure), ...out],
  };
}
