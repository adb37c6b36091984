import { type Check, leavesOf, type Need, type Pace, whyNever } from '@perlstack/health';
import { UserError } from '@perlstack/stack';

/** @throws UserError when more probes are needed than there are. */
export function needFrom(text: string, probes: number): Need {
  if (text === 'all' || text === 'any') return text;
  if (Number(text) <= probes) return Number(text);
  throw new UserError(`Input "need": ${text} of ${probes} probes can never be healthy`);
}

/** What the inputs of the action say about its tries. */
export interface PaceInputs {
  readonly successes: number;
  readonly hold: number;
  readonly interval: number;
  readonly timeout: number;
  readonly 'max-tries': number;
}

/** @throws UserError when the gate could not open whatever it is told. */
export function paceFrom(inputs: PaceInputs, probes: readonly Check[]): Pace {
  const pace = {
    successes: inputs.successes,
    holdMs: inputs.hold,
    intervalMs: inputs.interval,
    timeoutMs: inputs.timeout,
    ...(inputs['max-tries'] === 0 ? {} : { maxTries: inputs['max-tries'] }),
  };
  const samples = Math.max(1, ...leavesOf(probes).map(({ percentile }) => percentile?.samples ?? 1));
  const never = whyNever({ ...pace, samples });
  if (never) throw new UserError(`Input "${never.limit}": ${never.why}`);
  return pace;
}
