import { describe, expect, it } from '@jest/globals';
import type { Change, ConvergePlan } from '@perlstack/converge';
import { changesSomething, driftIn, planOutput, planSections, restartsIn } from './report.js';

const change = (more: Partial<Change>): Change => ({
  ...{ host: 'web-1', service: 'nginx', kind: 'file', target: '/etc/nginx/nginx.conf', what: 'content' },
  ...more,
});
const planOf = (changes: readonly Change[], refusals: readonly string[] = []): ConvergePlan => ({
  steps: [],
  changes,
  refusals,
});

const DRIFT = change({ kind: 'drift', what: 'drift, left as it is: content', diff: '-a\n+b' });
const RESTORED = change({ what: 'drift, to be put back: content', diff: '+b' });
const OVER = change({ what: 'content, over drift: mode 0644', target: '/etc/x' });
const RESTART = change({
  service: 'postgresql',
  kind: 'unit',
  target: 'postgresql@17-main.service',
  what: 'restart',
});

describe('the outputs', () => {
  it('list every file that somebody changed, whatever becomes of it', () =>
    expect(driftIn(planOf([DRIFT, RESTORED, OVER, RESTART, change({})])).map(({ what }) => what)).toEqual([
      DRIFT.what,
      RESTORED.what,
      OVER.what,
    ]));
  it('list restarts', () =>
    expect(restartsIn(planOf([RESTART, change({}), change({ kind: 'unit', what: 'reload' })]))).toEqual([
      { host: 'web-1', service: 'postgresql', unit: 'postgresql@17-main.service', what: 'restart' },
    ]));
  it('take drift that is left for no change', () =>
    expect([changesSomething(planOf([DRIFT])), changesSomething(planOf([RESTORED]))]).toEqual([false, true]));
  it('leave diffs out of the plan', () =>
    expect(JSON.stringify(planOutput(planOf([DRIFT], ['no'])))).toBe(
      '{"steps":[],"changes":[{"host":"web-1","service":"nginx","kind":"drift","target":"/etc/nginx/nginx.conf","what":"drift, left as it is: content"}],"refusals":["no"]}',
    ));
});

describe('planSections', () => {
  it('begin with what is refused, and fold every diff once', () => {
    const twin = { ...DRIFT, host: 'web-2' };
    const sections = planSections(planOf([DRIFT, twin], ['web-1: *no*']), ['a note']);
    expect(sections.map(({ title, folded = false }) => [title, folded])).toEqual([
      ['Refused', false],
      ['Changes', false],
      ['/etc/nginx/nginx.conf (web-1, web-2)', true],
      ['Notes', true],
    ]);
    expect(sections[0]?.body).toBe('- web-1: \\*no\\*');
  });
  it('stay on one screen', () => {
    const many = Array.from({ length: 30 }, (_, index) =>
      change({ host: `app-${index % 3}`, target: `/x${index}` }),
    );
    const [hosts, all] = planSections(planOf(many), []);
    expect(hosts?.body.split('\n')).toHaveLength(5);
    expect(all).toMatchObject({ title: 'All 30 changes', folded: true });
  });
  it('are none where there is nothing to say', () => expect(planSections(planOf([]), [])).toEqual([]));
});
