import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { countsOf, faultsOf } from './jest-suite.js';
import { inRoot } from './repository.js';
import { check, countsLine, faultLines, runSuites, sideBySide, sum } from './suite.js';

const ONE_PASSED = { passed: 1, failed: 0, skipped: 0 };
const ONE_FAILED = { passed: 0, failed: 1, skipped: 0 };

let printed: unknown[];
beforeEach(() => {
  printed = [];
  jest.spyOn(console, 'error').mockImplementation((text) => void printed.push(text));
});
afterEach(() => void jest.restoreAllMocks());

describe('check', () => {
  it('passes without a fault', async () => {
    expect(await check('x', async () => []).run()).toEqual(ONE_PASSED);
  });

  it('counts several faults as one failed test and prints each', async () => {
    expect(await check('x', async () => ['one', 'two']).run()).toEqual({
      ...ONE_FAILED,
      faults: ['one', 'two'],
    });
    expect(printed).toEqual(['one', 'two']);
  });
});

describe('sideBySide', () => {
  it('begins all with the first and reports each in its turn, also one that breaks', async () => {
    let release = (): void => undefined;
    const secondHasBegun = new Promise<void>((resolve) => (release = resolve));
    let begun = 0;
    const suites = sideBySide({
      // It ends only because the second one works beside it.
      first: () => secondHasBegun.then(() => ['of the first']),
      second: async () => {
        begun += 1;
        release();
        throw new Error('of the second');
      },
    });
    expect(begun).toBe(0);
    expect(await runSuites(suites, new AbortController().signal)).toMatchObject([
      { name: 'first', ...ONE_FAILED },
      { name: 'second', ...ONE_FAILED },
    ]);
    expect(begun).toBe(1);
    const [, fault, , headline, error] = printed;
    expect([fault, headline, error]).toEqual(['of the first', '\n== second', new Error('of the second')]);
  });
});

describe('runSuites', () => {
  const good = check('good', async () => []);
  const broken = { name: 'broken', run: () => Promise.reject(new Error('no such program')) };

  it('counts a suite that breaks as a failure and goes on', async () => {
    const results = await runSuites([broken, good], new AbortController().signal);
    expect(results).toMatchObject([
      { name: 'broken', ...ONE_FAILED },
      { name: 'good', ...ONE_PASSED },
    ]);
    expect(printed).toContainEqual(new Error('no such program'));
  });

  it('starts no further suite after an interruption', async () => {
    const controller = new AbortController();
    const last = check('last', async () => {
      controller.abort();
      return [];
    });
    expect(await runSuites([last, good], controller.signal)).toMatchObject([{ name: 'last' }]);
  });
});

describe('countsLine', () => {
  it('is the sum in one line', () => {
    expect(countsLine(sum([{ passed: 3, failed: 1, skipped: 2 }, ONE_PASSED]))).toBe(
      '4 passed, 1 failed, 2 skipped',
    );
  });
});

describe('faultLines', () => {
  const timed = { ...ONE_FAILED, seconds: 1 };

  it('says what failed where, and nothing without a fault', () => {
    const results = [
      { ...timed, name: 'lint', faults: ['a', 'b'] },
      { ...timed, ...ONE_PASSED, name: 'units' },
    ];
    expect(faultLines(results)).toBe('\n== failed in lint\na\n\n== failed in lint\nb');
    expect(faultLines([{ ...timed, ...ONE_PASSED, name: 'units', faults: [] }])).toBe('');
  });
});

describe('faultsOf', () => {
  const file = { name: inRoot('test', 'src', 'x.test.ts'), message: '' };
  const test = { status: 'passed', fullName: 'x does', failureMessages: [] };

  it('names the test and the beginning of why, without colours', () => {
    const why = `\u001b[31mno\u001b[39m\n${'line\n'.repeat(100)}`;
    const failed = { status: 'failed', fullName: 'x fails', failureMessages: [why] };
    const [fault = '', ...others] = faultsOf({
      testResults: [{ ...file, message: 'all of it', assertionResults: [test, failed] }],
    });
    expect(others).toEqual([]);
    expect(fault).toMatch(/^test\/src\/x\.test\.ts: x fails\nno\nline\n/);
    expect(fault.split('\n')).toHaveLength(31);
  });

  it('names a file that broke, and none that passed', () => {
    expect(
      faultsOf({
        testResults: [
          { ...file, message: 'no such module', assertionResults: [] },
          { ...file, assertionResults: [test] },
        ],
      }),
    ).toEqual(['test/src/x.test.ts: the file itself\nno such module']);
  });
});

describe('countsOf', () => {
  const results = {
    testResults: [],
    numPassedTests: 5,
    numFailedTests: 0,
    numPendingTests: 2,
    numTodoTests: 1,
    numRuntimeErrorTestSuites: 0,
  };

  it.each([
    ['a good run', {}, 0, { passed: 5, failed: 0, skipped: 3 }],
    ['failed tests', { numFailedTests: 2 }, 1, { failed: 2 }],
    ['a file that broke', { numRuntimeErrorTestSuites: 1 }, 1, { failed: 1 }],
    ['a run that failed for another reason', {}, 1, { failed: 1 }],
  ])('counts %s', (_what, changes, code, expected) => {
    expect(countsOf({ ...results, ...changes }, code)).toMatchObject(expected);
  });
});
