import type { StepEvent } from '@perlstack/procedure';
import { formatDuration } from '@perlstack/stack';
import type { Log } from './log.js';
import { resultsOf, type StepResult, WORDS } from './results.js';
import type { Section, SummaryContent } from './summary.js';
import { terminalTable } from './table.js';

/** A step that takes longer than this is announced before it ends. */
const ANNOUNCE_AFTER_MS = 5_000;

/** Turns what happens into log lines while it happens, and keeps it for the summary. */
export class Reporter {
  readonly #log: Log;
  readonly #title: string;
  readonly #events: StepEvent[] = [];
  readonly #sections: Section[] = [];
  readonly #pending = new Map<string, NodeJS.Timeout>();
  #verdict: string | undefined;

  constructor(log: Log, title: string) {
    this.#log = log;
    this.#title = title;
  }

  /** Hand this to `execute` as `onEvent`. */
  readonly onEvent = (event: StepEvent): void => {
    this.#events.push(event);
    const started = this.#startOf(event);
    this.#announce(event);
    const line = eventLine(event, event.at - started);
    if (line !== undefined) this.#log.info(line);
  };

  /** Runs one phase of the action with its lines folded under its name. */
  phase<T>(title: string, work: () => Promise<T>): Promise<T> {
    return this.#log.group(title, work);
  }

  /** Says what came of the run, in one sentence: the last line of the log and the first of the summary. */
  verdict(sentence: string): void {
    this.#verdict = sentence;
    this.#log.info(sentence);
  }

  /** Says why the run failed in the summary, unless a verdict was given; the log has the error itself. */
  failed(reason: string): void {
    this.#verdict ??= reason;
  }

  /** Adds a part to the summary: a table of prices, a folded diff. */
  section(section: Section): void {
    this.#sections.push(section);
  }

  /** What the summary is made of. */
  content(): SummaryContent {
    return {
      title: this.#title,
      ...(this.#verdict === undefined ? {} : { verdict: this.#verdict }),
      results: resultsOf(this.#events),
      sections: this.#sections,
    };
  }

  #startOf({ step, at }: StepEvent): number {
    return this.#events.findLast((event) => event.step.id === step.id && BEGINS.has(event.state))?.at ?? at;
  }

  #announce({ step, state }: StepEvent): void {
    clearTimeout(this.#pending.get(step.id));
    this.#pending.delete(step.id);
    if (state !== 'started') return;
    const timer = setTimeout(() => this.#log.info(`${subject(step)} …`), ANNOUNCE_AFTER_MS);
    this.#pending.set(step.id, timer.unref());
  }
}

const BEGINS: ReadonlySet<StepEvent['state']> = new Set(['started', 'undoing']);

/**
 * The log line of an event, such as `web-2 · nginx: valid, reloaded (0.3 s)`; none for the start of a step.
 *
 * @param elapsed milliseconds since the step, or its undo, began
 */
export function eventLine({ step, state, message }: StepEvent, elapsed: number): string | undefined {
  const what = subject(step);
  const time = elapsed > 0 ? ` (${formatDuration(elapsed)})` : '';
  switch (state) {
    case 'started':
      return undefined;
    case 'progress':
      return withRemark(what, message ?? '');
    case 'done':
      return `${withRemark(what, message ?? 'done')}${time}`;
    case 'skipped':
      return withRemark(what, message ?? 'nothing to do');
    case 'failed':
      return `${withRemark(what, `failed: ${message ?? 'no reason given'}`)}${time}`;
    case 'undoing':
      return withRemark(what, 'putting back');
    case 'undone':
      return `${withRemark(what, `put back${message ? `, ${message}` : ''}`)}${time}`;
    case 'undo-failed':
      return `${withRemark(what, `NOT put back: ${message ?? 'no reason given'}`)}${time}`;
  }
}

function subject({ host, title }: StepEvent['step']): string {
  return host ? `${host} · ${title}` : title;
}

/** A title that has a colon of its own gets its remark after a dash. */
function withRemark(what: string, remark: string): string {
  return what.includes(': ') ? `${what} – ${remark}` : `${what}: ${remark}`;
}

/** The steps of a run as a table for a terminal. */
export function stepTable(results: readonly StepResult[]): string {
  const rows = results.map(({ host, title, state, remark, from, to }) => [
    host ?? '',
    title,
    remark ?? WORDS[state],
    to > from ? formatDuration(to - from) : '',
  ]);
  return terminalTable(['Host', 'Step', 'Result', 'Time'], rows, ['l', 'l', 'l', 'r']);
}
