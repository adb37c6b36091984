import { assertSucceeded, assignmentsIn, inventoryFrom, markdownTable, runAction } from '@perlstack/action';
import { render } from '@perlstack/configs';
import { describe, handlers, observe, plan } from '@perlstack/converge';
import { execute } from '@perlstack/procedure';
import { connect } from '@perlstack/remote';
import { loadStack, type StackFile, stackFault } from '@perlstack/stack';
import { declaration } from './declaration.js';

void runAction({
  name: 'apply-configs',
  declaration,
  main: async ({ inputs, log, reporter, signal, mask, output }) => {
    const secrets = assignmentsIn(inputs['app-secrets'], 'app-secrets');
    secrets.forEach((value) => mask(value));
    const file = loadStack(inputs['stack-file']);
    assertComplete(file, secrets);
    const { stack } = file;
    const inventory = inventoryFrom(inputs.inventory, stack.stack);
    const bundle = render(stack, inventory, { secrets: Object.fromEntries(secrets) });
    bundle.notes.forEach((note) => log.notice(note));

    const remote = connect(
      inventory,
      { privateKey: inputs['ssh-private-key'] },
      { waitMs: inputs.timeout, onRetry: (message) => log.info(message) },
    );
    try {
      const observed = await reporter.phase('Observe', () => observe(remote, bundle, { signal }));
      const desired = plan(bundle, observed);
      const { summary, rows, diffs } = describe(desired);
      output('changed', desired.steps.length > 0);
      output('plan', desired);
      if (rows.length > 0) {
        const cells = rows.map(({ host, service, target, change }) => [host, service, target, change]);
        reporter.section({
          title: 'Changes',
          body: markdownTable(['Host', 'Service', 'What', 'Change'], cells),
        });
      }
      for (const { host, path, diff } of diffs) {
        reporter.section({ title: `${host}: ${path}`, body: diff, code: 'diff', folded: true });
        log.debug(`${host}: ${path}\n${diff}`);
      }
      if (inputs.mode === 'plan' || desired.steps.length === 0) {
        reporter.verdict(desired.steps.length === 0 ? summary : `${summary}. Nothing was changed.`);
        return;
      }
      const run = { onFailure: 'undo', signal, onEvent: reporter.onEvent } as const;
      const outcome = await reporter.phase('Apply', () =>
        execute(desired.steps, handlers(remote, bundle), run),
      );
      assertSucceeded(outcome, signal);
      reporter.verdict(`${summary}, all of them in force.`);
    } finally {
      await remote.close();
    }
  },
});

/** @throws UserError naming the secret that the stack file asks for and the step was not given */
function assertComplete(file: StackFile, secrets: ReadonlyMap<string, string>): void {
  const missing = file.stack.app.secrets.find((name) => !secrets.has(name));
  if (missing === undefined) return;
  throw stackFault(
    file.locate(['app', 'secrets', file.stack.app.secrets.indexOf(missing)]),
    'app.secrets',
    `${missing} has no value; give the step a line "${missing}=…" in its input "app-secrets"`,
  );
}
