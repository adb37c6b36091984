import { describe, expect, it } from '@jest/globals';
import { Screen } from './demo-screen.js';

function shown(...texts: readonly string[]): string[] {
  const lines: string[] = [];
  const screen = new Screen((line) => lines.push(line));
  for (const text of texts) screen.show({ job: 'deploy', step: 'Configure', text });
  return lines.map((line) => line.replace('  Configure │ ', ''));
}

describe('Screen', () => {
  it('shows lines as they come, without the marks of groups and without progress', () => {
    expect(
      shown(
        '##[group]Install',
        'web-1 · install nginx: 2 of 4 packages',
        'web-1 · install nginx: done',
        '##[endgroup]',
      ),
    ).toEqual(['web-1 · install nginx: done']);
  });

  it('shows the beginning of a long list, and how much more there is', () => {
    const items = Array.from({ length: 11 }, (_, index) => `  item ${index + 1}`);
    expect(shown(...items, 'through')).toEqual([...items.slice(0, 8), '  … and 3 more', 'through']);
    expect(shown(...items.slice(0, 8), 'through')).toEqual([...items.slice(0, 8), 'through']);
  });

  it('folds differences', () => {
    const diff = ['##[group]Differences', 'web-1: /etc/x', '+new', '##[endgroup]'];
    expect(shown(...diff, 'through')).toEqual(['Differences: 2 lines, folded', 'through']);
  });
});
