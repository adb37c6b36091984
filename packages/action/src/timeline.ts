import { byHost, type ResultState, type StepResult } from './results.js';

/** GitHub's renderer refuses a diagram of more than 50,000 characters. */
const LONGEST_DIAGRAM = 45_000;
/** The lane of steps that belong to no host. */
const NO_HOST = 'all hosts';

/** The mermaid tags that colour a bar. */
const TAGS: Readonly<Record<ResultState, string>> = {
  running: 'active, ',
  done: 'done, ',
  skipped: '',
  failed: 'crit, ',
  undone: 'active, ',
  'undo-failed': 'crit, ',
};

/**
 * A mermaid Gantt diagram with a lane a host and a bar for every step that took time; skipped steps have none.
 * When there are too many steps for a diagram the longest are shown. Empty when there is nothing to show.
 */
export function timeline(title: string, results: readonly StepResult[]): string {
  const shown = longest(results.filter(({ state }) => state !== 'skipped'));
  if (shown.length === 0) return '';
  return [
    'gantt',
    `  title ${plain(title)}`,
    '  dateFormat x',
    '  axisFormat %H:%M:%S',
    ...[...byHost(shown, NO_HOST)].flatMap(([host, bars]) => [`  section ${plain(host)}`, ...bars.map(bar)]),
  ].join('\n');
}

function bar({ title, state, from, to }: StepResult): string {
  return `  ${plain(title)} :${TAGS[state]}${from}, ${Math.max(to, from + 1)}`;
}

/** Text without the characters that mean something in a Gantt line. */
function plain(text: string): string {
  return text.replace(/[:;#,%{}"<>\s]+/g, ' ').trim() || '-';
}

function longest(results: readonly StepResult[]): StepResult[] {
  let left = LONGEST_DIAGRAM;
  const kept = new Set(
    [...results]
      .sort((a, b) => b.to - b.from - (a.to - a.from))
      .filter((result) => (left -= bar(result).length + 1) > 0),
  );
  return results.filter((result) => kept.has(result));
}
