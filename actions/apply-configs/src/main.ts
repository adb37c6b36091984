import {
  assertSucceeded,
  inStackFile,
  type MainContext,
  openSite,
  runAction,
  type Site,
} from '@perlstack/action';
import { checkCertificate, type ConfigBundle, render } from '@perlstack/configs';
import { type ConvergePlan, describe, handlers, observe, plan } from '@perlstack/converge';
import { execute } from '@perlstack/procedure';
import { connect, type Remote } from '@perlstack/remote';
import { UserError } from '@perlstack/stack';
import { declaration } from './declaration.js';
import { consentFrom, secretsFor, tlsFor, unusedSecrets } from './given.js';
import { changesSomething, driftIn, planOutput, planSections, printPlan, restartsIn } from './report.js';

type Context = MainContext<typeof declaration>;

void runAction({
  name: 'apply-configs',
  declaration,
  main: async (context) => {
    const { inputs, log } = context;
    const site = openSite(inputs);
    const consent = consentFrom(inputs, site.inventory);
    const bundle = bundleOf(context, site);
    const remote = connect(
      site.inventory,
      { privateKey: inputs['ssh-private-key'] },
      { waitMs: inputs.timeout, onRetry: (message) => log.info(message) },
    );
    try {
      const desired = await planFor(context, remote, bundle, consent);
      await show(context, desired, bundle.notes);
      await carryOut(context, remote, bundle, desired);
    } finally {
      await remote.close();
    }
  },
});

/** Everything that is to be on the hosts; all that is wrong with the inputs is found here, before any host is asked. */
function bundleOf({ inputs, log }: Context, { file, inventory }: Site): ConfigBundle {
  const secrets = secretsFor(file, inputs.secrets);
  const tls = tlsFor(file, inputs);
  const warnings = inStackFile(file, () => checkCertificate(file.stack, tls, Date.now()));
  warnings.forEach((warning) => log.warning(warning));
  const unused = unusedSecrets(file, inputs.secrets);
  if (unused.length > 0) log.info(`Not asked for by the stack file, and not used: ${unused.join(', ')}`);
  const bundle = inStackFile(file, () => render(file.stack, inventory, { secrets, tls }));
  bundle.notes.forEach((note) => log.notice(note));
  return bundle;
}

function planFor(
  { reporter, signal }: Context,
  remote: Remote,
  bundle: ConfigBundle,
  consent: ReturnType<typeof consentFrom>,
): Promise<ConvergePlan> {
  return reporter.phase('Observe', async () =>
    plan(bundle, await observe(remote, bundle, { signal }), consent),
  );
}

async function show({ log, output, reporter }: Context, desired: ConvergePlan, notes: readonly string[]) {
  output('changed', changesSomething(desired));
  output('plan', planOutput(desired));
  output('drift', driftIn(desired));
  output('restarts', restartsIn(desired));
  planSections(desired, notes).forEach((section) => reporter.section(section));
  await printPlan(desired, log);
}

async function carryOut(
  { inputs, reporter, signal }: Context,
  remote: Remote,
  bundle: ConfigBundle,
  desired: ConvergePlan,
): Promise<void> {
  const { summary, refusals } = describe(desired);
  if (inputs.mode === 'plan') {
    reporter.verdict(changesSomething(desired) ? `${summary}. Nothing was changed.` : summary);
    return;
  }
  assertAllowed(refusals);
  if (desired.steps.length === 0) {
    reporter.verdict(summary);
    return;
  }
  const run = { onFailure: 'undo', signal, onEvent: reporter.onEvent } as const;
  const outcome = await reporter.phase('Apply', () => execute(desired.steps, handlers(remote, bundle), run));
  assertSucceeded(outcome, signal);
  reporter.verdict(`${summary}, all of them in force.`);
}

/** @throws AggregateError of all that is refused, so that each gets an annotation of its own */
function assertAllowed(refusals: readonly string[]): void {
  if (refusals.length === 0) return;
  const errors = refusals.map(
    (refusal) => new UserError(`${refusal.replace(/\.$/, '')}. Nothing was changed.`),
  );
  throw new AggregateError(errors, 'The plan is refused');
}
