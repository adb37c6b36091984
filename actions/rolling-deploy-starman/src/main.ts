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
  deploy,
  type DeployResult,
  finish,
  historyOf,
  type Owner,
  type Pace,
  preview,
  type ReleaseOptions,
} from '@perlstack/release';
import { connect, type Remote } from '@perlstack/remote';
import { loadStack, messageOf, UserError } from '@perlstack/stack';
import { declaration } from './declaration.js';
import { closeDeployment, Deployment } from './deployment.js';
import { canaryTable, planTable, releaseTable, sentenceOf, serverTable } from './report.js';

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
    const { journal, log, reporter } = context;
    await closeDeployment(context.inputs, log, context.state);
    // Also the way after a main that refused its inputs: what was wrong with them is not said twice.
    if (openSteps(journal).length === 0) return;
    await withRemote(context, async (options) => {
      const result = await finish({
        ...options,
        owner: ownerFrom(process.env),
        journal,
        onEvent: reporter.onEvent,
      });
      if (result.note) log.warning(result.note);
      if (result.unresolved.length > 0) throw new UserError(`Not put back: ${result.unresolved.join('; ')}`);
    });
  },
});

/** Opens connections for as long as the work takes; none is made before the first is needed. */
async function withRemote(
  context: Context,
  work: (options: ReleaseOptions & { remote: Remote }) => Promise<void>,
) {
  const { inputs } = context;
  const { stack } = loadStack(inputs['stack-file']);
  const inventory = inventoryFrom(inputs.inventory, stack.stack);
  const remote = connect(inventory, { privateKey: inputs['ssh-private-key'] });
  const limit = AbortSignal.timeout(inputs.timeout);
  try {
    await work({
      stack,
      inventory,
      remote,
      ...whatFrom(inputs),
      ...paceFrom(inputs),
      strategy: inputs.strategy,
      signal: AbortSignal.any([context.signal, limit]),
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
}: Inputs): Pick<ReleaseOptions, 'release' | 'artifact'> {
  if (mode === 'rollback') return to ? { release: to } : {};
  if (to)
    throw new UserError(
      'Input "to": it goes with mode "rollback"; the id of a deploy is the input "release"',
    );
  if (!artifact) throw new UserError('Input "artifact": it is needed, except for mode "rollback"');
  return { release: releaseFrom(release), artifact: { path: artifact, ...(sha256 ? { sha256 } : {}) } };
}

function paceFrom(inputs: Inputs): Partial<Pace> {
  return {
    batch: batchSizes(inputs.batch),
    canary: inputs.canary === 0 ? null : { hosts: inputs.canary, bakeMs: inputs.bake },
    floor: Number.parseInt(inputs['capacity-floor'], 10) / 100,
    maxFailures: inputs['max-failures'],
  };
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

async function rollOut(context: MainContext<typeof declaration>, options: ReleaseOptions) {
  const { reporter, journal, log, output } = context;
  const deployment = new Deployment(context.inputs, log, context.saveState);
  const result = await deploy({
    ...options,
    owner: ownerFrom(process.env),
    lockWaitMs: context.inputs['lock-wait'],
    allowOlder: context.inputs['allow-older'],
    journal: fileJournal(journal),
    onEvent: reporter.onEvent,
    onPlan: ({ release, plan: { roll } }) => void (roll.length > 0 && deployment.begin(release)),
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
  }
  result.left.forEach(({ host, reason }) =>
    log.warning(`${host} was left out, and gets no requests: ${reason}`),
  );
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

/** Who holds the lock: the same for all attempts and steps of one workflow run, so that a rerun takes up its own lock. */
function ownerFrom(env: NodeJS.ProcessEnv): Owner {
  const { GITHUB_REPOSITORY, GITHUB_RUN_ID, GITHUB_SERVER_URL } = env;
  const actor = env['GITHUB_TRIGGERING_ACTOR'] ?? env['GITHUB_ACTOR'] ?? env['USER'];
  const [workflow] = env['GITHUB_WORKFLOW_REF']?.split('@') ?? [];
  const number = Number(env['GITHUB_RUN_NUMBER']);
  const onGitHub = GITHUB_REPOSITORY && GITHUB_RUN_ID;
  if (!onGitHub) return { id: `${env['USER'] ?? 'somebody'}/${process.pid}`, ...(actor ? { actor } : {}) };
  return {
    ...(actor ? { actor } : {}),
    ...(workflow && number > 0 ? { workflow, number } : {}),
    id: `${GITHUB_REPOSITORY}/${GITHUB_RUN_ID}`,
    url: `${GITHUB_SERVER_URL ?? 'https://github.com'}/${GITHUB_REPOSITORY}/actions/runs/${GITHUB_RUN_ID}`,
  };
}
