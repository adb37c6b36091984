import { assertSucceeded, type InputsOf, type MainContext, runAction } from '@perlstack/action';
import { createClient, createReader, type LinodeReader } from '@perlstack/linode';
import { execute } from '@perlstack/procedure';
import {
  entryAddresses,
  handlers,
  inventory,
  observe,
  observeForDestroy,
  plan,
  planDestroy,
  type ProvisionPlan,
} from '@perlstack/provision';
import { connect, publicKeyOf } from '@perlstack/remote';
import { type Inventory, loadStack, type StackFile, UserError } from '@perlstack/stack';
import { declaration } from './declaration.js';
import { billTable, differenceOf, entrySentence, stepsTable } from './report.js';

type Inputs = InputsOf<typeof declaration>;
type Context = MainContext<typeof declaration>;

void runAction({
  name: 'provision-linode-tier',
  declaration,
  main: async (context) => {
    const { inputs, reporter, signal } = context;
    const file = loadStack(inputs['stack-file']);
    const sshPublicKey = inputs.mode === 'apply' ? publicKeyFrom(inputs) : '';
    const reader = createReader({ token: inputs['linode-token'], signal });
    const made = await reporter.phase('Plan', () => planFor(reader, file, inputs.mode));
    show(context, made);
    if (inputs.mode === 'plan') {
      await describeServers(context, reader, file);
      reporter.verdict(
        made.steps.length === 0 ? NOTHING : `${made.steps.length} steps, nothing was changed.`,
      );
      return;
    }
    assertConsent(inputs, made);
    await carryOut(context, file, made, sshPublicKey);
    const servers =
      inputs.mode === 'destroy' ? nothingLeft(context, file) : await describeServers(context, reader, file);
    reporter.verdict(
      made.steps.length === 0
        ? NOTHING
        : `${made.steps.length} steps done; ${servers.hosts.length} servers, ${differenceOf(made.bill.delta)} a month.`,
    );
  },
});

/** Says what servers there are now, and where visitors come in. */
async function describeServers(
  { output, reporter }: Context,
  reader: LinodeReader,
  file: StackFile,
): Promise<Inventory> {
  const observed = await observe(reader, file);
  const servers = inventory(file.stack, observed);
  const addresses = entryAddresses(file.stack, observed);
  output('inventory', servers);
  output('entry-addresses', addresses);
  if (addresses.length > 0) {
    reporter.section({ title: 'Entry', body: entrySentence(file.stack.app.domains, addresses) });
  }
  return servers;
}

function nothingLeft({ output }: Context, { stack }: StackFile): Inventory {
  const servers = { stack: stack.stack, hosts: [] };
  output('inventory', servers);
  output('entry-addresses', []);
  return servers;
}

const NOTHING = 'Everything is as the stack file says: nothing to do.';

type Made = Pick<ProvisionPlan, 'steps' | 'bill' | 'notes'>;

async function planFor(reader: LinodeReader, file: StackFile, mode: Inputs['mode']): Promise<Made> {
  if (mode !== 'destroy') return plan(file, await observe(reader, file, { purpose: mode }));
  const observed = await observeForDestroy(reader, file.stack, { purpose: 'apply' });
  return planDestroy(file.stack.stack, observed, observed.catalogue);
}

function show({ log, reporter, output }: Context, { steps, bill, notes }: Made): void {
  steps.forEach(({ host, title }) => log.info(`  ${host ? `${host} · ` : ''}${title}`));
  log.info(`  $${bill.before} a month before, $${bill.after} after`);
  notes.forEach((note) => log.notice(note));
  reporter.section({ title: 'Bill', body: billTable(bill) });
  if (steps.length > 0) reporter.section({ title: 'Plan', body: stepsTable(steps), folded: true });
  output('plan', steps);
  output('changed', steps.length > 0);
  output('monthly-cost', String(bill.after));
  output('monthly-delta', String(bill.delta));
}

/** Removing a server is never a side effect of an edited number. */
function assertConsent(inputs: Inputs, { steps }: Made): void {
  const removed = steps.filter(({ kind }) => kind.startsWith('delete-')).map(({ title }) => title);
  if (inputs.mode !== 'apply' || inputs['allow-delete'] || removed.length === 0) return;
  throw new UserError(
    `The plan removes something (${removed.join('; ')}): set the input "allow-delete" to true to agree. Nothing was changed.`,
  );
}

async function carryOut(
  { inputs, reporter, signal }: Context,
  file: StackFile,
  made: Made,
  sshPublicKey: string,
): Promise<void> {
  // The writing client is made here and not before: a plan can't write.
  const client = createClient({ token: inputs['linode-token'], signal });
  const privateKey = inputs['ssh-private-key'] ?? '';
  const tools = {
    client,
    stack: file.stack,
    sshPublicKey,
    connect: (servers: Parameters<typeof connect>[0]) =>
      connect(servers, { privateKey }, { waitMs: inputs.timeout }),
  };
  // What was made stays when a later step fails: the next run finds it and goes on from there.
  const run = { signal, onEvent: reporter.onEvent, onFailure: 'keep' } as const;
  assertSucceeded(await reporter.phase('Apply', () => execute(made.steps, handlers(tools), run)), signal);
}

function publicKeyFrom(inputs: Inputs): string {
  const privateKey = inputs['ssh-private-key'];
  if (privateKey) return publicKeyOf({ privateKey });
  throw new UserError(
    'Input "ssh-private-key": mode apply needs it, as new servers are reached with it. Nothing was changed.',
  );
}
