import { expect, it } from '@jest/globals';
import { evidenceTable } from './evidence.js';

const shown = (probe: string, from: string, ok: boolean) => ({
  ...{ probe, from, ok, ms: 4 },
  seen: ok ? 'open' : 'refused',
});

it('evidenceTable shows who asked, and each probe below its group', () => {
  const evidence = [shown('a:1', 'runner', true), shown('b:1', 'web-1', false), shown('c:1', 'web-2', true)];
  const [a, b, c] = evidence;
  if (!a || !b || !c) throw new Error('There are three');
  const group = { group: 'ports', ok: true, healthy: 1, needed: 1, members: [b, c] };
  expect(
    evidenceTable({ evidence, tree: [a, group] })
      .replaceAll(/ +/g, ' ')
      .split('\n'),
  ).toEqual([
    '| Probe | Asked from | Answer | Verdict | Time |',
    '| :---- | :--------- | :--------------- | :---------- | ---: |',
    '| a:1 | runner | open | healthy | 4 ms |',
    '| ports | | 1 of 2, needed 1 | healthy | |',
    '| ↳ b:1 | web-1 | refused | not healthy | 4 ms |',
    '| ↳ c:1 | web-2 | open | healthy | 4 ms |',
  ]);
  expect(evidenceTable({ evidence })).not.toContain('ports');
});
