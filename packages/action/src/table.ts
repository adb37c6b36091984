import { markdownTable as layOut } from 'markdown-table';

export type Cell = string | number;

/** How a column is aligned: `l` left, `r` right. */
export type Alignment = 'l' | 'r';

/** A table in GitHub's markdown; cells are text, so that no character of theirs is taken for markup. */
export function markdownTable(
  header: readonly string[],
  rows: readonly (readonly Cell[])[],
  align: readonly Alignment[] = [],
): string {
  const cells = [header, ...rows].map((row) => row.map((cell) => escapeMarkdown(String(cell))));
  return layOut(cells, { align: header.map((_, column) => align[column] ?? 'l') });
}

/** A table in columns for a terminal, two spaces apart, the header underlined. */
export function terminalTable(
  header: readonly string[],
  rows: readonly (readonly Cell[])[],
  align: readonly Alignment[] = [],
): string {
  const text = [header, ...rows].map((row) => row.map(String));
  const widths = header.map((_, column) => Math.max(...text.map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]): string =>
    widths
      .map((width, column) =>
        align[column] === 'r' ? (row[column] ?? '').padStart(width) : (row[column] ?? '').padEnd(width),
      )
      .join('  ')
      .trimEnd();
  const [head = [], ...body] = text;
  return [line(head), widths.map((width) => '-'.repeat(width)).join('  '), ...body.map(line)].join('\n');
}

/** Text as one line within an HTML element that shows exactly that text. */
export function escapeHtml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replace(/\s*\r?\n\s*/g, ' ');
}

/** Text as one line of markdown that shows exactly that text. */
export function escapeMarkdown(text: string): string {
  return escapeHtml(text.replace(/[\\`*_[\]|~]/g, '\\$&'));
}
