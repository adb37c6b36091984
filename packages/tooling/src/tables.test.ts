import { describe, expect, it } from '@jest/globals';
import { actionsTable, interfaceTables } from './tables.js';

/** The cells of a table's rows, without the header. */
function cellsOf(table: string): string[][] {
  const rows = table.split('\n').filter((line) => line.startsWith('|'));
  return rows.slice(2).map((row) =>
    row
      .split(/(?<!\\)\|/)
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}

describe('interfaceTables', () => {
  it('has a row for every input', () => {
    const inputs = {
      mode: { description: '`plan` or\n`apply`', default: 'plan' },
      token: { description: 'a|b', required: true },
      note: null,
    };
    expect(cellsOf(interfaceTables({ description: '', inputs }))).toEqual([
      ['`mode`', 'no', '`plan`', '`plan` or `apply`'],
      ['`token`', 'yes', '', 'a\\|b'],
      ['`note`', 'no', '', ''],
    ]);
  });

  it('has a row for every output, and no table for inputs that are not there', () => {
    const tables = interfaceTables({ description: '', outputs: { passed: { description: 'Whether' } } });
    expect(cellsOf(tables)).toEqual([['`passed`', 'Whether']]);
    expect(tables).not.toContain('Inputs');
  });
});

describe('actionsTable', () => {
  it('links every action', () => {
    expect(cellsOf(actionsTable(new Map([['health-gate', { description: 'Waits' }]])))).toEqual([
      ['[health-gate](actions/health-gate/README.md)', 'Waits'],
    ]);
  });
});
