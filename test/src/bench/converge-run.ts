import { readFileSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { render } from '@perlstack/configs';
import { assertAllowed, handlers, observe, plan } from '@perlstack/converge';
import { execute } from '@perlstack/procedure';
import { connect, type Remote } from '@perlstack/remote';
import { type Inventory, messageOf, type Stack } from '@perlstack/stack';

/** A converge as a process of its own, started where the hosts can be reached. */
export interface ConvergeOrder {
  readonly stack: Stack;
  readonly inventory: Inventory;
  readonly secrets: Readonly<Record<string, string>>;
  readonly keyFile: string;
  /** `touch` only logs in everywhere and runs nothing as root: the least that any tool has to do. */
  readonly what: 'converge' | 'touch';
}

export interface ConvergeResult {
  readonly steps: number;
  readonly changes: number;
}

async function converge(
  remote: Remote,
  { stack, inventory, secrets }: ConvergeOrder,
): Promise<ConvergeResult> {
  const bundle = render(stack, inventory, { secrets });
  const converging = plan(bundle, await observe(remote, bundle));
  assertAllowed(converging);
  const { failures } = await execute(converging.steps, handlers(remote, bundle));
  const [failure] = failures;
  if (failure) throw new Error(`${failure.step.id}: ${messageOf(failure.error)}`);
  return { steps: converging.steps.length, changes: converging.changes.length };
}

async function touch(remote: Remote, { inventory }: ConvergeOrder): Promise<ConvergeResult> {
  await Promise.all(inventory.hosts.map(({ name }) => remote.script(name, ':', [], { sudo: true })));
  return { steps: 0, changes: 0 };
}

async function main(): Promise<void> {
  const order = JSON.parse(await text(process.stdin)) as ConvergeOrder;
  const remote = connect(order.inventory, { privateKey: readFileSync(order.keyFile, 'utf8') });
  try {
    const result = order.what === 'touch' ? await touch(remote, order) : await converge(remote, order);
    process.stdout.write(JSON.stringify(result));
  } finally {
    await remote.close();
  }
}

await main();
