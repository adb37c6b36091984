import { markdownTable } from 'markdown-table';
import type { ActionInput, ActionYml } from './action-yml.js';

/** The tables of an action's inputs and outputs, each below its heading, as markdown. */
export function interfaceTables({ inputs, outputs }: ActionYml): string {
  const parts: string[] = [];
  if (inputs) parts.push('## Inputs', table(['Name', 'Required', 'Default', 'Description'], rowsOf(inputs)));
  if (outputs)
    parts.push(
      '## Outputs',
      table(
        ['Name', 'Description'],
        Object.entries(outputs).map(([name, output]) => [code(name), output?.description ?? '']),
      ),
    );
  return parts.join('\n\n');
}

function rowsOf(inputs: Readonly<Record<string, ActionInput | null>>): string[][] {
  return Object.entries(inputs).map(([name, input]) => [
    code(name),
    input?.required ? 'yes' : 'no',
    input?.default ? code(input.default) : '',
    input?.description ?? '',
  ]);
}

/** The table of all actions, each linked to its folder. */
export function actionsTable(actions: ReadonlyMap<string, ActionYml>): string {
  const rows = [...actions].map(([name, { description }]) => [
    `[${name}](actions/${name}/README.md)`,
    description,
  ]);
  return table(['Action', 'What it does'], rows);
}

/** Descriptions are markdown already: only what would break the table's grid is escaped. */
function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const cells = [header, ...rows].map((row) =>
    row.map((cell) =>
      cell
        .trim()
        .replace(/\s*\n\s*/g, ' ')
        .replaceAll('|', '\\|'),
    ),
  );
  return markdownTable(cells);
}

function code(text: string): string {
  const fence = text.includes('`') ? '``' : '`';
  return fence + text + fence;
}
