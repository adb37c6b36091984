import { formatDuration } from '@perlstack/stack';
import { byHost, gravest, type StepResult, WORDS } from './results.js';
import { escapeHtml, escapeMarkdown, markdownTable } from './table.js';
import { timeline } from './timeline.js';

/** GitHub drops a step's whole summary above 1 MiB, so a little less is aimed at. */
export const LARGEST_SUMMARY = 1_000_000;
/** With more steps than this the table has a row a host, and the steps are folded below. */
const MOST_ROWS = 20;

/** A part of the summary below its headline. */
export interface Section {
  readonly title: string;
  /** Markdown; or plain text of the language named by `code` (`diff`, `json`, `mermaid`). */
  readonly body: string;
  readonly code?: string;
  /** Folded away under its title. */
  readonly folded?: boolean;
}

export interface SummaryContent {
  readonly title: string;
  /** What came of it, in one sentence. */
  readonly verdict?: string;
  readonly results: readonly StepResult[];
  readonly sections: readonly Section[];
}

/** True when there is nothing that a summary could show. */
export function isEmpty({ verdict, results, sections }: SummaryContent): boolean {
  return verdict === undefined && results.length === 0 && sections.length === 0;
}

export interface SummaryLimit {
  /** Bytes. */
  readonly largest: number;
  /** Says why so many lines are left out, in markdown of one line. */
  readonly leftOut: (lines: number) => string;
}

const OF_A_SUMMARY: SummaryLimit = {
  largest: LARGEST_SUMMARY,
  leftOut: (lines) => `_${lines} more lines are left out here: a summary holds 1 MiB at the most._`,
};

/** The job summary of one run as markdown of a limited size; what had to be left out is said where it was. */
export function renderSummary(content: SummaryContent, limit: SummaryLimit = OF_A_SUMMARY): string {
  const head = `### ${escapeMarkdown(content.title)}\n\n${content.verdict ? `${escapeMarkdown(content.verdict)}\n\n` : ''}`;
  let left = limit.largest - Buffer.byteLength(head);
  const parts = sectionsOf(content).map((section) => {
    const part = renderSection(section, left, limit.leftOut);
    left -= Buffer.byteLength(part);
    return part;
  });
  return head + parts.join('');
}

function sectionsOf({ title, results, sections }: SummaryContent): Section[] {
  const diagram = timeline(title, results);
  const own = sections.filter(({ folded }) => !folded);
  const below = sections.filter(({ folded }) => folded);
  return [
    ...own,
    ...stepTables(results),
    ...(diagram
      ? [{ title: 'Timeline', body: diagram, code: 'mermaid', folded: results.length > MOST_ROWS }]
      : []),
    ...below,
  ];
}

function stepTables(results: readonly StepResult[]): Section[] {
  if (results.length === 0) return [];
  const rows = results.map((result) => [
    result.host ?? '',
    result.title,
    result.remark ? `${WORDS[result.state]}: ${result.remark}` : WORDS[result.state],
    seconds(result.to - result.from),
  ]);
  const steps = markdownTable(['Host', 'Step', 'Result', 'Time'], rows, ['l', 'l', 'l', 'r']);
  if (results.length <= MOST_ROWS) return [{ title: '', body: steps }];
  return [
    { title: '', body: hostTable(results) },
    { title: `All ${results.length} steps`, body: steps, folded: true },
  ];
}

function hostTable(results: readonly StepResult[]): string {
  const rows = [...byHost(results, '')].map(([host, own]) => [
    host,
    own.length,
    own.filter(({ state }) => state === 'skipped').length,
    WORDS[gravest(own.map(({ state }) => state))],
    seconds(Math.max(...own.map(({ to }) => to)) - Math.min(...own.map(({ from }) => from))),
  ]);
  return markdownTable(['Host', 'Steps', 'Nothing to do', 'Result', 'Time'], rows, ['l', 'r', 'r', 'l', 'r']);
}

function seconds(milliseconds: number): string {
  return milliseconds === 0 ? '' : formatDuration(milliseconds);
}

function renderSection(section: Section, room: number, leftOut: SummaryLimit['leftOut']): string {
  const [before, after] = frame(section);
  const body = cut(section.body, room - Buffer.byteLength(before + after), leftOut);
  return body === undefined ? '' : `${before}${body.kept}${after}${body.note}`;
}

/** What stands around a section's body. */
function frame({ title, code, folded, body }: Section): [string, string] {
  const fence = '`'.repeat(Math.max(3, ...[...body.matchAll(/`+/g)].map(([ticks]) => ticks.length + 1)));
  const [open, close] = code === undefined ? ['', '\n\n'] : [`${fence}${code}\n`, `\n${fence}\n\n`];
  if (folded)
    return [`<details><summary>${escapeHtml(title)}</summary>\n\n${open}`, `${close}</details>\n\n`];
  return [`${title ? `#### ${escapeMarkdown(title)}\n\n` : ''}${open}`, close];
}

/** Room that is always kept for saying what was left out. */
const NOTE_ROOM = 250;

/** The lines of a body that fit, and a note when not all did; `undefined` when not even the note would fit. */
function cut(
  body: string,
  room: number,
  leftOut: SummaryLimit['leftOut'],
): { kept: string; note: string } | undefined {
  if (Buffer.byteLength(body) <= room - NOTE_ROOM) return { kept: body, note: '' };
  if (room < NOTE_ROOM) return undefined;
  const lines = body.split('\n');
  let size = 0;
  const fitting = lines.findIndex((line) => (size += Buffer.byteLength(line) + 1) > room - NOTE_ROOM);
  const left = lines.length - fitting;
  return {
    kept: lines.slice(0, fitting).join('\n'),
    note: `${leftOut(left)}\n\n`,
  };
}
