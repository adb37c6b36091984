import { describe, expect, it } from '@jest/globals';
import { evaluate, holds, resolve, type Scope, type Status, textOf } from './expressions.js';
import { Expression } from './tree.js';

function scope(status: Status = 'success'): Scope {
  return {
    status,
    contexts: {
      github: { ref: 'refs/heads/main', event: { n: 1 } },
      steps: { a: { outputs: { x: 'true' } } },
      matrix: { list: ['b', 2] },
    },
  };
}

describe('evaluate', () => {
  it.each([
    ["github.ref == 'REFS/heads/main'", true],
    ['github.event.n', 1],
    ['github.nothing.at.all', null],
    ['matrix.list', ['b', 2]],
    ['fromJSON(\'{"a": [1]}\')', { a: [1] }],
    ["format('it''s {0} ''here''', 'x')", "it's x 'here'"],
    ["steps['a'].outputs.x && 'yes' || 'no'", 'yes'],
    ['toJSON(matrix.list[1])', '2'],
  ])('%s gives %j', (text, value) => expect(evaluate(new Expression(text), scope())).toEqual(value));

  it.each(['nothing.known', 'unknown()', 'a ||', "'open"])(
    'names the expression that is wrong: %s',
    (text) => {
      expect(() => evaluate(new Expression(text), scope())).toThrow(`\${{ ${text} }}: `);
    },
  );
});

describe('holds', () => {
  it.each<[string | boolean | undefined, Status, boolean]>([
    [undefined, 'success', true],
    [undefined, 'failure', false],
    [undefined, 'skipped', false],
    ["github.ref == 'refs/heads/main'", 'success', true],
    ["github.ref == 'refs/heads/main'", 'failure', false],
    ['failure()', 'failure', true],
    ['failure()', 'skipped', false],
    ['Always()', 'cancelled', true],
    ['!cancelled()', 'cancelled', false],
    ['!cancelled()', 'failure', true],
    // Not the function, only its name.
    ["'always()' != ''", 'failure', false],
    [false, 'success', false],
    ["''", 'success', false],
    ['steps.a.outputs.x', 'success', true],
  ])('%s after %s: %s', (condition, status, result) => expect(holds(condition, scope(status))).toBe(result));
});

it('textOf writes values as GitHub does', () => {
  const text = (expression: string): string => textOf(new Expression(expression), scope());
  expect([text('true'), text('1.50'), text('github.nothing'), text('matrix.list')]).toEqual([
    'true',
    '1.5',
    '',
    'Array',
  ]);
  expect(textOf(true, scope())).toBe('true');
});

it('resolve evaluates everything in a tree', () => {
  const tree = {
    a: [new Expression('github.event.n'), 'x'],
    b: { c: null, d: new Expression('matrix.list') },
  };
  expect(resolve(tree, scope())).toEqual({ a: [1, 'x'], b: { c: null, d: ['b', 2] } });
});
