import type { EngineSpec } from '@perlstack/configs';
import type { EngineStep, Member } from '@perlstack/engine';
import { type StepContext, until } from '@perlstack/procedure';
import { RemoteError, type Remote } from '@perlstack/remote';
import { UserError } from '@perlstack/stack';

/** The member that a step is about. */
export function memberOf<Spec extends EngineSpec>(
  members: readonly Member<Spec>[],
  step: EngineStep,
): Member<Spec> {
  const member = members.find(({ host, service }) => host === step.host && service === step.service);
  if (!member)
    throw new Error(`${step.host} has no service ${step.service}: the plan belongs to another bundle`);
  return member;
}

interface ScriptCall {
  readonly text: string;
  readonly args: readonly string[];
  readonly input?: string;
  /** What messages call it. */
  readonly name: string;
}

/** Runs a script on the step's host as root; what it says when it fails is the user's to read. */
export async function runOn(
  remote: Remote,
  step: EngineStep,
  { signal }: StepContext,
  call: ScriptCall,
): Promise<string> {
  const { text, args, name, input } = call;
  const options = { name, sudo: true, signal, timeoutMs: 60_000, ...(input === undefined ? {} : { input }) };
  try {
    return (await remote.script(step.host, text, args, options)).stdout.trim();
  } catch (error) {
    if (!(error instanceof RemoteError) || error.reason !== 'exit') throw error;
    throw new UserError(`${step.host}: ${name}: ${error.stderr.trim() || error.message}`);
  }
}

/**
 * Asks until the answer is good.
 *
 * @param ask gives `true`, or how far it is.
 * @throws UserError with the last answer after `limitMs`.
 */
export async function untilGood(
  step: EngineStep,
  context: StepContext,
  limitMs: number,
  ask: () => Promise<true | string>,
): Promise<void> {
  const { signal } = context;
  const left = await until(ask, { limitMs, signal, say: (answer) => context.progress(answer) });
  if (left !== null)
    throw new UserError(`${step.host}: ${step.title}: not after ${limitMs / 1_000} s: ${left}`);
}
