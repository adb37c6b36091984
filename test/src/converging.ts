import type { ConfigBundle } from '@perlstack/configs';
import {
  assertAllowed,
  type Consent,
  type ConvergePlan,
  handlers,
  NO_CONSENT,
  observe,
  plan,
} from '@perlstack/converge';
import { execute, type Outcome } from '@perlstack/procedure';
import type { Remote } from '@perlstack/remote';
import { messageOf } from '@perlstack/stack';

/** What was to be done, and what came of it. */
export interface Converged {
  readonly planned: ConvergePlan;
  readonly outcome: Outcome;
}

/** What converging would do. */
export async function look(
  remote: Remote,
  bundle: ConfigBundle,
  consent: Partial<Consent> = {},
): Promise<ConvergePlan> {
  return plan(bundle, await observe(remote, bundle), { ...NO_CONSENT, ...consent });
}

/** Converges as the action does; a failure is in the outcome. @throws UserError when it is refused */
export async function attempt(
  remote: Remote,
  bundle: ConfigBundle,
  consent: Partial<Consent> = {},
): Promise<Converged> {
  const planned = await look(remote, bundle, consent);
  assertAllowed(planned);
  return { planned, outcome: await execute(planned.steps, handlers(remote, bundle), { onFailure: 'undo' }) };
}

/** @throws Error when anything fails, or is refused */
export async function converge(
  remote: Remote,
  bundle: ConfigBundle,
  consent: Partial<Consent> = {},
): Promise<Converged> {
  const converged = await attempt(remote, bundle, consent);
  const { failures, undoFailures } = converged.outcome;
  const faults = [...failures, ...undoFailures].map(({ step, error }) => `${step.id}: ${messageOf(error)}`);
  if (faults.length > 0) throw new Error(faults.join('\n'));
  return converged;
}
