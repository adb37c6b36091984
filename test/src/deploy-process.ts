import { readFileSync } from 'node:fs';
import { fileJournal } from '@perlstack/procedure';
import { deploy, type Timings } from '@perlstack/release';
import { connect } from '@perlstack/remote';
import type { Inventory, Stack } from '@perlstack/stack';

/** A deploy in a process of its own, which can be made to die by SIGKILL at any moment of it. */
export interface DeployOrder {
  readonly stack: Stack;
  readonly inventory: Inventory;
  readonly keyFile: string;
  readonly release: string;
  readonly artifact: string;
  readonly owner: string;
  readonly journal: string;
  readonly strategy?: 'socket' | 'drain';
  readonly timings?: Partial<Timings>;
  /** Step and state, such as `app-1/switch done`, at which the process dies. */
  readonly dieAt?: string;
}

async function main(order: DeployOrder): Promise<void> {
  const { stack, inventory, release, strategy, timings, dieAt } = order;
  const remote = connect(inventory, { privateKey: readFileSync(order.keyFile, 'utf8') });
  try {
    const result = await deploy({
      stack,
      inventory,
      remote,
      release,
      artifact: { path: order.artifact },
      owner: { id: order.owner, url: `https://ci.example/${order.owner}` },
      journal: fileJournal(order.journal),
      onEvent: ({ step, state }) => {
        process.stdout.write(`${JSON.stringify({ event: `${step.id} ${state}` })}\n`);
        if (dieAt === `${step.id} ${state}`) process.kill(process.pid, 'SIGKILL');
      },
      ...(strategy ? { strategy } : {}),
      ...(timings ? { timings } : {}),
    });
    process.stdout.write(`${JSON.stringify({ result })}\n`);
  } finally {
    await remote.close();
  }
}

await main(JSON.parse(process.argv[2] ?? '') as DeployOrder);
