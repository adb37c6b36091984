import type { Step } from './step.js';

export type StepState =
  'started' | 'progress' | 'done' | 'skipped' | 'failed' | 'undoing' | 'undone' | 'undo-failed';

/** What happened to a step: faces turn the stream of events into log lines, tables and a timeline. */
export interface StepEvent {
  readonly step: Step;
  readonly state: StepState;
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** The handler's remark, progress message or error message. */
  readonly message?: string;
}
