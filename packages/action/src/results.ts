import type { StepEvent } from '@perlstack/procedure';

export type ResultState = 'running' | 'done' | 'skipped' | 'failed' | 'undone' | 'undo-failed';

/** What became of one step, from all its events. Times are in milliseconds since the epoch. */
export interface StepResult {
  readonly id: string;
  readonly host: string | undefined;
  readonly title: string;
  readonly state: ResultState;
  readonly remark: string | undefined;
  readonly from: number;
  readonly to: number;
}

/** Sums up a run's events, a step a row, in the order in which the steps first showed up. */
export function resultsOf(events: readonly StepEvent[]): StepResult[] {
  const results = new Map<string, StepResult>();
  for (const event of events) {
    results.set(event.step.id, afterEvent(results.get(event.step.id), event));
  }
  return [...results.values()];
}

function afterEvent(before: StepResult | undefined, { step, state, at, message }: StepEvent): StepResult {
  const result = before ?? {
    id: step.id,
    host: step.host,
    title: step.title,
    state: 'running',
    remark: undefined,
    from: at,
    to: at,
  };
  switch (state) {
    case 'started':
      return { ...result, from: at, to: at };
    case 'progress':
    case 'undoing':
      return { ...result, to: at };
    case 'undone':
      // Why it had to be undone says more than that it was.
      return {
        ...result,
        state: 'undone',
        remark: result.state === 'failed' ? result.remark : message,
        to: at,
      };
    default:
      return { ...result, state, remark: message, to: at };
  }
}

/** Results by host, in the order in which the hosts first show up; what belongs to no host comes under `none`. */
export function byHost(results: readonly StepResult[], none: string): Map<string, StepResult[]> {
  const lanes = new Map<string, StepResult[]>();
  for (const result of results) {
    const host = result.host ?? none;
    lanes.set(host, [...(lanes.get(host) ?? []), result]);
  }
  return lanes;
}

/** The order of the severity of results: what a host's row shows when its steps ended differently. */
const GRAVEST: readonly ResultState[] = ['undo-failed', 'failed', 'undone', 'running', 'done', 'skipped'];

/** The state that stands for several. */
export function gravest(states: readonly ResultState[]): ResultState {
  return GRAVEST.find((state) => states.includes(state)) ?? 'skipped';
}

/** A result as the tables show it. */
export const WORDS: Readonly<Record<ResultState, string>> = {
  running: 'not finished',
  done: 'done',
  skipped: 'nothing to do',
  failed: 'failed',
  undone: 'undone',
  'undo-failed': 'NOT put back',
};
