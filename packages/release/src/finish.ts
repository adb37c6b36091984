import { fileJournal, openSteps, type StepEvent, undoSteps } from '@perlstack/procedure';
import type { Remote } from '@perlstack/remote';
import { type Inventory, messageOf, type Stack, UserError } from '@perlstack/stack';
import { appendAudit, entryOf } from './audit.js';
import { handlers } from './handlers.js';
import type { LeftOut } from './hands.js';
import { acquire, type Lease, type Owner } from './lease.js';
import { type Site, siteOf, type Timings } from './site.js';
import type { ReleaseStep } from './steps.js';

export interface FinishOptions {
  readonly stack: Stack;
  readonly inventory: Inventory;
  readonly remote: Remote;
  /** The deploy's, where it was given one. */
  readonly release?: string;
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
  let lease: Lease;
  try {
    lease = await acquire(site, options.owner, options.release ?? 'a release');
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return { undone: [], unresolved: [], note: `nothing was put back: ${messageOf(error)}` };
  }
  try {
    // A lock that is not there any more was taken over: a later deploy has been here, and its result stands.
    if (lease.found !== 'ours') {
      return { undone: [], unresolved: [], note: 'nothing was put back: the deploy no longer held its lock' };
    }
    const journal = fileJournal(options.journal);
    const steps = open.filter(({ kind }) => kind !== 'lock');
    const hands = {
      site,
      owner: options.owner,
      left: new Map<string, LeftOut>(),
      packs: new Map<string, string>(),
    };
    const onEvent = options.onEvent;
    const failures = await undoSteps(steps, handlers(hands), { journal, ...(onEvent ? { onEvent } : {}) });
    await noteFinished(site, options, steps, failures.length);
    const failed = new Set(failures.map(({ step }) => step.id));
    for (const step of open) if (step.kind === 'lock') journal.append({ step, state: 'undone' });
    return {
      undone: steps.map(({ id }) => id).filter((id) => !failed.has(id)),
      unresolved: failures.map(({ step, error }) =>
        `${step.host ?? ''} ${step.title}: ${messageOf(error)}`.trim(),
      ),
    };
  } finally {
    await lease.release().catch(() => undefined);
  }
}

/** The log on the hosts would else say for ever that the run began. */
async function noteFinished(
  site: Site,
  { owner, release = 'a release' }: FinishOptions,
  steps: readonly ReleaseStep[],
  failures: number,
): Promise<void> {
  if (steps.length === 0) return;
  const event = failures > 0 ? 'failed' : 'cancelled';
  const entry = { event, kind: 'deploy', release, previous: null, reason: 'killed, and put back' } as const;
  await appendAudit(
    site,
    site.appHosts.map(({ name }) => name),
    entryOf(owner, entry),
  );
}
