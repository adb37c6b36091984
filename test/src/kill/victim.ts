import { writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { render } from '@perlstack/configs';
import * as converge from '@perlstack/converge';
import { type Clock, createClient, createReader, realClock } from '@perlstack/linode';
import { execute, fileJournal, type Outcome, type StepEvent } from '@perlstack/procedure';
import * as provision from '@perlstack/provision';
import * as release from '@perlstack/release';
import { connect, publicKeyOf, type Remote } from '@perlstack/remote';
import { messageOf, parseStack } from '@perlstack/stack';
import type { Answer, Fate, Order, Results, Tasks } from './orders.js';

/*
 * Does what the actions do, order by order, and dies where it is told to: by SIGKILL, so that nothing of it can tidy up.
 * Orders come as lines of JSON on standard input, each is answered by one on standard output.
 */

/** What a kill leaves armed is waited for by the next run; long enough for a login on a busy machine. */
const GUARD_SECONDS = 15;

type OnEvent = (event: StepEvent) => void;

/** Written at once: the next thing that happens may be our death. */
function say(answer: Answer): void {
  writeSync(1, `${JSON.stringify(answer)}\n`);
}

const BOUNDARIES: ReadonlySet<string> = new Set(['started', 'done', 'skipped']);

function dyingAt(fate: Fate | null): OnEvent {
  if (fate === null) return () => undefined;
  const survived = new Set(fate.survived);
  const only = new RegExp(fate.only ?? '');
  return ({ step, state }) => {
    const boundary = `${step.id} ${state}`;
    if (!BOUNDARIES.has(state) || survived.has(boundary) || !only.test(boundary)) return;
    say({ boundary });
    process.kill(process.pid, 'SIGKILL');
  };
}

/** Waits as the real one does, but shorter: the hosts here are up in seconds. */
const hurriedClock: Clock = {
  now: () => realClock.now(),
  sleep: (ms, signal) => realClock.sleep(Math.min(ms, 500), signal),
};

async function provisioning(options: Tasks['provision'], onEvent: OnEvent): Promise<Results['provision']> {
  const { apiUrl: baseUrl, token, privateKey, hostKeys } = options;
  const file = parseStack(options.stackFile, 'perlstack.yml');
  const access = { baseUrl, token, pollMs: 100 };
  const reader = createReader(access);
  const look = async () => {
    const { steps } = provision.plan(file, await provision.observe(reader, file, { purpose: 'apply' }));
    return steps.filter(({ kind }) => hostKeys || kind !== 'rotate-host-key');
  };
  const steps = await look();
  const tools = {
    client: createClient(access),
    stack: file.stack,
    sshPublicKey: publicKeyOf({ privateKey }),
    connect: (servers: Parameters<typeof connect>[0]) =>
      connect(servers, { privateKey }, { waitMs: 120_000 }),
    clock: hurriedClock,
  };
  assertSucceeded(await execute(steps, provision.handlers(tools), { onEvent, onFailure: 'keep' }));
  const inventory = provision.inventory(file.stack, await provision.observe(reader, file));
  return { inventory, left: idsOf(await look()) };
}

async function converging(options: Tasks['converge'], onEvent: OnEvent): Promise<Results['converge']> {
  const { inventory } = options;
  const bundle = render(parseStack(options.stackFile, 'perlstack.yml').stack, inventory);
  return withRemote(options, async (remote) => {
    const look = async () => converge.plan(bundle, await converge.observe(remote, bundle)).steps;
    const run = { onFailure: 'undo', onEvent } as const;
    const handlers = converge.handlers(remote, bundle, { guardSeconds: GUARD_SECONDS });
    assertSucceeded(await execute(await look(), handlers, run));
    return { left: idsOf(await look()) };
  });
}

const deploying = (options: Tasks['deploy'], onEvent: OnEvent): Promise<Results['deploy']> =>
  withRemote(options, (remote) =>
    release.deploy({
      ...partsOf(options, remote),
      artifact: { path: options.artifact },
      strategy: options.strategy,
      journal: fileJournal(options.journal),
      onEvent,
    }),
  );

const finishing = (options: Tasks['finish'], onEvent: OnEvent): Promise<Results['finish']> =>
  withRemote(options, (remote) =>
    release.finish({ ...partsOf(options, remote), journal: options.journal, onEvent }),
  );

function partsOf(options: Tasks['finish'], remote: Remote) {
  const { inventory, timings, owner } = options;
  const { stack } = parseStack(options.stackFile, 'perlstack.yml');
  return { stack, inventory, remote, release: options.release, owner: { id: owner }, timings };
}

async function withRemote<T>(
  { inventory, privateKey }: Pick<Tasks['converge'], 'inventory' | 'privateKey'>,
  work: (remote: Remote) => Promise<T>,
): Promise<T> {
  const remote = connect(inventory, { privateKey });
  try {
    return await work(remote);
  } finally {
    await remote.close();
  }
}

const idsOf = (steps: readonly { id: string }[]): string[] => steps.map(({ id }) => id);

function assertSucceeded({ state, failures }: Outcome): void {
  const said = failures.map(({ step, error }) => `${step.id}: ${messageOf(error)}`);
  if (state !== 'succeeded') throw new Error(`${state}: ${said.join('; ')}`);
}

function carryOut(order: Order): Promise<Results[Order['task']]> {
  const onEvent = dyingAt(order.fate);
  switch (order.task) {
    case 'provision':
      return provisioning(order.options, onEvent);
    case 'converge':
      return converging(order.options, onEvent);
    case 'deploy':
      return deploying(order.options, onEvent);
    case 'finish':
      return finishing(order.options, onEvent);
  }
}

async function serve(): Promise<void> {
  for await (const line of createInterface({ input: process.stdin })) {
    try {
      say({ result: await carryOut(JSON.parse(line) as Order) });
    } catch (error) {
      say({ error: messageOf(error) });
    }
  }
}

void serve();
