import { describe, expect, it } from '@jest/globals';
import type { StepEvent } from '@perlstack/procedure';
import { resultsOf, type StepResult } from './results.js';
import { isEmpty, renderSummary } from './summary.js';
import { timeline } from './timeline.js';

function events(id: string, host: string, ...states: [StepEvent['state'], number, string?][]): StepEvent[] {
  const step = { id, kind: 'x', title: id, host };
  return states.map(([state, at, message]) => ({ step, state, at, ...(message ? { message } : {}) }));
}

const results = resultsOf([
  ...events('drain', 'web-1', ['started', 1_000], ['done', 2_500, 'no connection left']),
  ...events('unit | file', 'web-1', ['skipped', 2_500]),
  ...events(
    'boot',
    'app-1',
    ['started', 1_000],
    ['failed', 4_000, 'exit code 1'],
    ['undoing', 4_000],
    ['undone', 5_000],
  ),
]);

function many(count: number): StepResult[] {
  return Array.from({ length: count }, (_, number) => ({
    id: `s${number}`,
    host: `app-${number % 3}`,
    title: `step ${number}`,
    state: number === 7 ? 'failed' : 'done',
    remark: undefined,
    from: 0,
    to: number,
  }));
}

describe('resultsOf', () => {
  it('has a row a step, with the reason why it was undone', () => {
    expect(results.map(({ id, state, remark, from, to }) => [id, state, remark, to - from])).toEqual([
      ['drain', 'done', 'no connection left', 1_500],
      ['unit | file', 'skipped', undefined, 0],
      ['boot', 'undone', 'exit code 1', 4_000],
    ]);
  });
});

describe('timeline', () => {
  it('has a lane a host and no bar for a skipped step', () => {
    expect(timeline('deploy: r2', results).split('\n')).toEqual([
      'gantt',
      '  title deploy r2',
      '  dateFormat x',
      '  axisFormat %H:%M:%S',
      '  section web-1',
      '  drain :done, 1000, 2500',
      '  section app-1',
      '  boot :active, 1000, 5000',
    ]);
  });

  it('is empty when nothing took place', () => expect(timeline('x', results.slice(1, 2))).toBe(''));

  it('keeps the longest steps when there are too many for a diagram', () => {
    const text = timeline('x', many(5_000));
    expect(text.length).toBeLessThan(50_000);
    expect(text).toContain('step 4999 :');
    expect(text).not.toContain('step 1 :');
  });
});

describe('renderSummary', () => {
  it('has headline, own parts, steps, timeline and the folded rest, in this order', () => {
    const text = renderSummary({
      title: 'deploy',
      verdict: 'Rolled back to r1.',
      results,
      sections: [
        { title: 'Diff', body: '-a\n+```b', code: 'diff', folded: true },
        { title: 'Bill', body: '| a |' },
      ],
    });
    expect(text).toMatch(/^### deploy\n\nRolled back to r1\.\n\n#### Bill\n\n\| a \|\n\n\| Host /);
    expect(text).toContain('| web-1 | unit \\| file | nothing to do            |       |');
    expect(text).toContain('undone: exit code 1');
    expect(text).toContain('#### Timeline\n\n```mermaid\ngantt');
    expect(text).toContain('<details><summary>Diff</summary>\n\n````diff\n-a\n+```b\n````\n\n</details>');
  });

  it('shows hosts, and folds the steps, when there are many', () => {
    const text = renderSummary({ title: 'x', results: many(30), sections: [] });
    expect(text).toMatch(/\| app-1 +\| +10 \| +0 \| failed \| +28 ms \|/);
    expect(text).toContain('<details><summary>All 30 steps</summary>');
  });

  it('stays below its limit, keeps its frames closed and says what is left out', () => {
    const body = Array.from({ length: 1_000 }, (_, line) => `+ line ${line} ä`).join('\n');
    const sections = [
      { title: 'A', body, code: 'diff', folded: true },
      { title: 'B', body, code: 'diff', folded: true },
    ];
    const text = renderSummary(
      { title: 'x', results: [], sections },
      { largest: 5_000, leftOut: (lines) => `${lines} more` },
    );
    expect(Buffer.byteLength(text)).toBeLessThanOrEqual(5_000);
    expect(text).toMatch(/```\n\n<\/details>\n\n\d+ more\n/);
    expect(text.match(/<details>/g)).toHaveLength(text.match(/<\/details>/g)?.length ?? 0);
  });

  it('shows what text holds, not what it would mean as markup', () => {
    expect(renderSummary({ title: 'a <b> *c*', results: [], sections: [] })).toContain('a &lt;b&gt; \\*c\\*');
  });

  it('is worth writing only when there is something to show', () => {
    expect(isEmpty({ title: 'x', results: [], sections: [] })).toBe(true);
    expect(isEmpty({ title: 'x', results, sections: [] })).toBe(false);
  });
});
