import {
  type InputsOf,
  inventoryFrom,
  type MainContext,
  type PostContext,
  runAction,
} from '@perlstack/action';
import { fileJournal, openSteps } from '@perlstack/procedure';
import {
  batchSizes,
  type Canary,
  commitOf,
  deploy,
  type DeployResult,
  finish,
  type FinishResult,
  historyOf,
  observe,
  type Pace,
  preview,
  type ReleaseOptions,
  siteOf,
} from '@perlstack/release';
import { connect, type Remote } from '@perlstack/remote';
import { loadStack, messageOf, UserError } from '@perlstack/stack';
import { declaration } from './declaration.js';
import { Deployment, leftOpen, type OpenDeployment } from './deployment.js';
import { ownerFrom } from './owner.js';
import { canaryTable, leftOut, planTable, releaseTable, sentenceOf, serverTable } from './report.js';
import { TimeLimit } from './time-limit.js';

type Inputs = InputsOf<typeof declaration>;
type Context = PostContext<typeof declaration>;

void runAction({
  name: 'rolling-deploy-starman',
  declaration,
  main: (context) =>
    withRemote(context, async (options) =>
      context.inputs.mode === 'plan' ? showPlan(context, options) : rollOut(context, options),
    ),
  post: async (context) => {
    const { inputs, journal, log, reporter, state } = context;
    const deployment = await leftOpen(inputs, log, state);
    // Also the way after a main that refused its inputs: what was wrong with them is not said twice.
    if (deployment === undefined && openSteps(journal).length === 0) return;
    await withRemote(context, async (options) => {
      const { onEvent } = reporter;
      const result = await finish({ ...options, owner: ownerFrom(process.env), journal, onEvent });
      if (deployment) await closeTruly(deployment, options, result);
      if (result.note) log.warning(result.note);
      if (result.unresolved.length > 0) throw new UserError(`Not put back: ${result.unresolved.join('; ')}`);
    });
  },
});

/** A main that was killed may have had all servers on the release already: what they serve says how the deployment ended. */
async function closeTruly(
  deployment: OpenDeployment,
  options: ReleaseOptions,
  { note, unresolved }: FinishResult,
): Promise<void> {
  if (unresolved.length > 0)
    return deployment.close('failed', `the run was killed; not put back: ${unresolved.join('; ')}`);
  const { app, unreachable } = await observe(
    siteOf(options.stack, options.inventory, options.remote),
    undefined,
  );
  const away = unreachable.some(({ tier }) => tier === 'app');
  if (!away && app.every(({ serving }) => serving === deployment.release))
    return deployment.close(
      'succeeded',
      `release ${deployment.release} serves; the run was killed after that`,
    );
  return note === undefined
    ? deployment.close('cancelled', 'the run was killed; what it had begun was put back')
    : deployment.close('failed', `the run was killed; ${note}`);
}

/** The limit counts from the beginning, or anew from when other deploys were waited for. */
type LimitedOptions = ReleaseOptions & { readonly remote: Remote; readonly limit: TimeLimit };

/** Opens connections for as long as the work takes; none is made before the first is needed. */
async function withRemote(context: Context, work: (options: LimitedOptions) => Promise<void>) {
  const { inputs } = context;
  const { stack } = loadStack(inputs['stack-file']);
  const inventory = inventoryFrom(inputs.inventory, stack.stack);
  const remote = connect(inventory, { privateKey: inputs['ssh-private-key'] });
  const limit = new TimeLimit(inputs['lock-wait'] + inputs.timeout);
  try {
    await work({
      stack,
      inventory,
      remote,
      ...whatFrom(inputs),
      ...paceFrom(inputs),
      strategy: inputs.strategy,
      signal: AbortSignal.any([context.signal, limit.signal]),
      limit,
    });
  } finally {
    await remote.close();
  }
}

/** What is deployed: an artifact under its id, or what the servers keep. */
function whatFrom({
  mode,
  artifact,
  sha256,
  release,
  to,
}: Inputs): Pick<ReleaseOptions, 'release' | 'artifact' | 'repair'> {
  if (mode === 'rollback') return to ? { release: to } : {};
  if (to)
    throw new UserError(
      'Input "to": it goes with mode "rollback"; the id of a deploy is the input "release"',
    );
  if (mode === 'repair') return { repair: true };
  if (!artifact)
    throw new UserError('Input "artifact": it is needed, except for the modes "rollback" and "repair"');
  return { release: releaseFrom(release), artifact: { path: artifact, ...(sha256 ? { sha256 } : {}) } };
}

function paceFrom(inputs: Inputs): Partial<Pace> {
  return {
    batch: batchSizes(inputs.batch),
    canary: inputs.canary === 0 ? null : canaryFrom(inputs),
    floor: shareOf(inputs['capacity-floor']),
    maxFailures: inputs['max-failures'],
  };
}

// Functions, which are there before the module has come to its end: the action begins at its top.
function canaryFrom(inputs: Inputs): Canary {
  const slowdown = 1 + shareOf(inputs['canary-slowdown']);
  return { hosts: inputs.canary, bakeMs: inputs.bake, slowdown };
}

function shareOf(percent: string): number {
  return Number.parseInt(percent, 10) / 100;
}

async function showPlan({ output, reporter }: MainContext<typeof declaration>, options: ReleaseOptions) {
  const { plan, release, observed } = await preview(options);
  reporter.section({ title: 'Plan', body: planTable(plan) });
  reporter.section({ title: 'Releases', body: releaseTable(historyOf(observed.audit, observed.app)) });
  output('release', release);
  output('previous', plan.previous ?? '');
  output('outcome', 'planned');
  output('servers', []);
  output('result', plan);
  const steps = plan.roll.length + plan.finish.length;
  reporter.verdict(
    steps === 0
      ? `Release ${release} serves already: nothing to do.`
      : `${steps} steps, nothing was changed.`,
  );
}

async function rollOut(context: MainContext<typeof declaration>, { limit, ...options }: LimitedOptions) {
  const { reporter, journal, log, output } = context;
  const { mode } = context.inputs;
  const deployment = new Deployment(context.inputs, log, context.saveState);
  const result = await deploy({
    ...options,
    owner: ownerFrom(process.env),
    lockWaitMs: context.inputs['lock-wait'],
    allowOlder: context.inputs['allow-older'],
    journal: fileJournal(journal),
    onEvent: reporter.onEvent,
    onPlan: ({ release, plan: { roll }, observed }) => {
      limit.restart(context.inputs.timeout);
      const commit = mode === 'apply' ? undefined : commitOf(observed.audit, release);
      if (roll.length > 0) deployment.begin({ release, commit });
    },
  }).catch(async (error: unknown) => {
    await deployment.end({ outcome: 'failed' }, messageOf(error));
    throw error;
  });
  await deployment.end(result, sentenceOf(result));
  result.notes.forEach((note) => log.notice(note));
  output('release', servingAfter(result));
  output('previous', result.previous ?? '');
  output('outcome', result.outcome);
  output(
    'servers',
    result.servers.map(({ name, seconds }) => ({ name, seconds })),
  );
  output('result', result);
  reporter.section({ title: 'Servers', body: serverTable(result) });
  if (result.canary) {
    reporter.section({ title: `Canary: ${result.canary.reason}`, body: canaryTable(result.canary) });
    if (result.canary.decision === 'too-little-traffic')
      log.warning(
        `The canary was followed without a comparison: ${result.canary.reason}; a longer "bake" helps`,
      );
  }
  leftOut(result).forEach((sentence) => log.warning(sentence));
  if (result.history.length > 0)
    reporter.section({ title: 'Releases before', body: releaseTable(result.history) });
  if (result.evidence.length > 0) {
    reporter.section({ title: 'What the release said', body: result.evidence.join('\n'), code: 'text' });
    result.evidence.forEach((line) => log.info(`  ${line}`));
  }
  if (result.outcome === 'cancelled') context.signal.throwIfAborted();
  if (result.outcome !== 'succeeded' && result.outcome !== 'nothing-to-do')
    throw new UserError(sentenceOf(result));
  reporter.verdict(sentenceOf(result));
}

function servingAfter({ outcome, release, previous }: DeployResult): string {
  return outcome === 'succeeded' || outcome === 'nothing-to-do' ? release : (previous ?? '');
}

/** A full commit id is more than a person reads, and than a table has room for. */
function releaseFrom(input: Inputs['release']): string {
  return /^[0-9a-f]{40}$/.test(input) ? input.slice(0, 12) : input;
}
