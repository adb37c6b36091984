import { diffSections, markdownTable, renderSummary, type Section, shareDiffs } from '@perlstack/action';
import type { ConfigBundle, FileDiff } from '@perlstack/configs';

/** GitHub takes no comment of more characters. */
const LONGEST_COMMENT = 65_536;

/** One sentence about the whole: `3 files and 1 other setting differ from main, on 4 servers.` */
export function headline(diffs: readonly FileDiff[], base: string): string {
  if (diffs.length === 0) return `No server's configuration differs from ${base}.`;
  const paths = [...new Set(diffs.map(({ path }) => path))];
  const files = paths.filter((path) => path.startsWith('/')).length;
  const what = [
    ...(files > 0 ? [count(files, 'file')] : []),
    ...(paths.length > files ? [count(paths.length - files, 'other setting')] : []),
  ];
  const hosts = new Set(diffs.map(({ host }) => host)).size;
  return `${what.join(' and ')} ${paths.length === 1 ? 'differs' : 'differ'} from ${base}, on ${count(hosts, 'server')}.`;
}

const count = (number: number, what: string): string => `${number} ${what}${number === 1 ? '' : 's'}`;

/** The differences as a table, and each of them folded below it. */
export function differenceSections(diffs: readonly FileDiff[]): Section[] {
  if (diffs.length === 0) return [];
  const rows = shareDiffs(diffs).map(({ diff: { path, change, patch }, hosts }) => {
    const [added, removed] = linesOf(patch);
    return [path, change, `+${added} -${removed}`, hosts.join(', ')];
  });
  const table = markdownTable(['What', 'Change', 'Lines', 'Servers'], rows, ['l', 'l', 'r', 'l']);
  return [{ title: '', body: table }, ...diffSections(diffs)];
}

function linesOf(patch: string): [added: number, removed: number] {
  const lines = patch.split('\n');
  const begins = (sign: string, header: string): number =>
    lines.filter((line) => line.startsWith(sign) && !line.startsWith(header)).length;
  return [begins('+', '+++ '), begins('-', '--- ')];
}

/** All patches as one text, server by server. */
export function fullDiff(diffs: readonly FileDiff[]): string {
  return diffs.map(({ host, patch }) => `# ${host}\n${patch.trimEnd()}\n`).join('\n');
}

export interface CommentParts {
  readonly bundle: ConfigBundle;
  readonly diffs: readonly FileDiff[];
  readonly base: string;
  readonly remark: string | undefined;
  /** The commit that was rendered. */
  readonly commit: string;
  /** The page of the run. */
  readonly url: string | undefined;
}

export const markerOf = (stack: string): string => `<!-- perlstack:render-configs:${stack} -->`;

/** The comment of a pull request below its marker: as much of the diff as fits, and where the rest is. */
export function commentBody({ bundle, diffs, base, remark, commit, url }: CommentParts): string {
  const run = url === undefined ? 'the run' : `[the run](${url})`;
  const footer = `<sub>Rendered from ${commit.slice(0, 12)} by render-configs; everything is in the summary of ${run}.</sub>`;
  const notes = bundle.notes.map((note) => `- ${note}`).join('\n');
  const content = {
    title: `Configuration of ${bundle.stack}`,
    verdict: [headline(diffs, base), ...(remark === undefined ? [] : [`${remark}.`])].join(' '),
    results: [],
    sections: [
      ...differenceSections(diffs),
      ...(notes ? [{ title: 'Notes', body: notes, code: 'text', folded: true }] : []),
    ],
  };
  const largest = LONGEST_COMMENT - footer.length - markerOf(bundle.stack).length - 2;
  const leftOut = (lines: number): string =>
    `_${lines} more lines are left out here: see the summary of ${run}._`;
  return `${renderSummary(content, { largest, leftOut })}${footer}`;
}
