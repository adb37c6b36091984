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
  /** A rollback names none, or the one it goes back to, and brings no artifact. */
  readonly release?: string;
  readonly artifact?: string;
  readonly owner: string;
  readonly journal: string;
  readonly strategy?: 'socket' | 'drain';
  readonly timings?: Partial<Timings>;
  readonly maxFailures?: number;
  /** After which a host that does not answer counts as gone. */
  readonly handshakeTimeoutMs?: number;
  /** Step and state, such as `app-1/switch done`, at which the process dies. */
  readonly dieAt?: string;
}

async function main(order: DeployOrder): Promise<void> {
  const { stack, inventory, release, artifact, strategy, timings, maxFailures, dieAt } = order;
  const { keyFile, handshakeTimeoutMs } = order;
  const limits = handshakeTimeoutMs === undefined ? {} : { handshakeTimeoutMs };
  const remote = connect(inventory, { privateKey: readFileSync(keyFile, 'utf8') }, limits);
  try {
    const result = await deploy({
      stack,
      inventory,
      remote,
      ...(release === undefined ? {} : { release }),
      ...(artifact === undefined ? {} : { artifact: { path: artifact } }),
      owner: { id: order.owner, url: `https://ci.example/${order.owner}` },
      journal: fileJournal(order.journal),
      onEvent: ({ step, state }) => {
        process.stdout.write(`${JSON.stringify({ event: `${step.id} ${state}` })}\n`);
        if (dieAt === `${step.id} ${state}`) process.kill(process.pid, 'SIGKILL');
      },
      ...(strategy ? { strategy } : {}),
      ...(timings ? { timings } : {}),
      ...(maxFailures === undefined ? {} : { maxFailures }),
    });
    process.stdout.write(`${JSON.stringify({ result })}\n`);
  } finally {
    await remote.close();
  }
}

await main(JSON.parse(process.argv[2] ?? '') as DeployOrder);
