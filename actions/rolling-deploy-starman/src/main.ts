import {
  type InputsOf,
  inventoryFrom,
  type MainContext,
  type PostContext,
  runAction,
} from '@perlstack/action';
import { fileJournal, openSteps } from '@perlstack/procedure';
import {
  deploy,
  type DeployResult,
  finish,
  type Owner,
  preview,
  type ReleaseOptions,
} from '@perlstack/release';
import { connect, type Remote } from '@perlstack/remote';
import { loadStack, UserError } from '@perlstack/stack';
import { declaration } from './declaration.js';
import { planTable, sentenceOf, serverTable } from './report.js';

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
      release: releaseFrom(inputs.release),
      artifact: { path: inputs.artifact, ...(inputs.sha256 ? { sha256: inputs.sha256 } : {}) },
      strategy: inputs.strategy,
      signal: AbortSignal.any([context.signal, limit]),
    });
  } finally {
    await remote.close();
  }
}

async function showPlan({ output, reporter }: MainContext<typeof declaration>, options: ReleaseOptions) {
  const { plan } = await preview(options);
  reporter.section({ title: 'Plan', body: planTable(plan) });
  output('release', options.release);
  output('previous', plan.previous ?? '');
  output('outcome', 'planned');
  output('servers', []);
  output('result', plan);
  const steps = plan.roll.length + plan.finish.length;
  reporter.verdict(
    steps === 0
      ? `Release ${options.release} serves already: nothing to do.`
      : `${steps} steps, nothing was changed.`,
  );
}

async function rollOut(context: MainContext<typeof declaration>, options: ReleaseOptions) {
  const { reporter, journal, log, output } = context;
  const result = await deploy({
    ...options,
    owner: ownerFrom(process.env),
    journal: fileJournal(journal),
    onEvent: reporter.onEvent,
  });
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
  const onGitHub = GITHUB_REPOSITORY && GITHUB_RUN_ID;
  if (!onGitHub) return { id: `${env['USER'] ?? 'somebody'}/${process.pid}` };
  return {
    id: `${GITHUB_REPOSITORY}/${GITHUB_RUN_ID}`,
    url: `${GITHUB_SERVER_URL ?? 'https://github.com'}/${GITHUB_REPOSITORY}/actions/runs/${GITHUB_RUN_ID}`,
  };
}
