import { describe, expect, it } from '@jest/globals';
import { parseTestOptions, PARTS } from './test-options.js';

const ROOT = '/checkout';

describe('parseTestOptions', () => {
  it.each([
    [[], { parts: PARTS }],
    [['--unit'], { parts: ['unit'] }],
    [['--end-to-end', '--static'], { parts: ['static', 'end-to-end'] }],
    [['packages/health'], { parts: ['unit'], files: ['packages/health'] }],
    [['test/src/hosts.test.ts'], { parts: ['end-to-end'], files: ['test/src/hosts.test.ts'] }],
    [['./test/src/hosts.test.ts'], { parts: ['end-to-end'] }],
    [['/checkout/test/src/a.test.ts', 'packages/test/b.ts'], { parts: ['unit', 'end-to-end'] }],
    [['--grep', 'three'], { parts: ['unit', 'end-to-end'], grep: 'three' }],
    [['--report', 'out'], { parts: PARTS, report: 'out' }],
  ])('reads %j', (words, expected) => {
    expect(parseTestOptions(words, ROOT)).toMatchObject(expected);
  });

  it.each([[['--units']], [['--grep']]])('refuses %j with the usage', (words) => {
    expect(() => parseTestOptions(words, ROOT)).toThrow(/Usage: npm test/);
  });
});
