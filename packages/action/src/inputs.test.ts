import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { UserError } from '@perlstack/stack';
import { declare, type InputDeclaration } from './declaration.js';
import { readInputs, secretsIn } from './inputs.js';

function read(input: InputDeclaration, text?: string): unknown {
  const reading = readInputs(
    declare({ inputs: { it: input }, outputs: {} }),
    text === undefined ? {} : { INPUT_IT: text },
  );
  return 'values' in reading ? reading.values.it : reading.faults.map(({ message }) => message);
}

const point = (value: unknown): { x: number } => {
  if (typeof value === 'object' && value && 'x' in value) return { x: Number(value.x) };
  throw Object.assign(new Error('many lines'), { issues: [{ path: ['a', 0], message: 'expected an x' }] });
};

describe('readInputs', () => {
  it.each<[InputDeclaration, string | undefined, unknown]>([
    [{ kind: 'string' }, ' text ', 'text'],
    [{ kind: 'string' }, undefined, undefined],
    [{ kind: 'string' }, '  ', undefined],
    [{ kind: 'string', default: 'x' }, '', 'x'],
    [{ kind: 'string', pattern: /[a-z]+/ }, 'abc', 'abc'],
    [{ kind: 'boolean' }, 'True', true],
    [{ kind: 'boolean', default: 'false' }, undefined, false],
    [{ kind: 'integer', min: 1, max: 5 }, '5', 5],
    [{ kind: 'duration', default: '2m' }, undefined, 120_000],
    [{ kind: 'json', parse: point }, '{"x": 3}', { x: 3 }],
    [{ kind: 'path' }, '/etc', '/etc'],
    [{ kind: 'path', exists: 'folder' }, '/', '/'],
    [{ kind: 'multiline' }, 'a\n\n  b ', ['a', 'b']],
    [{ kind: 'multiline' }, undefined, []],
    [{ kind: 'assignments' }, 'A=1\nB=', new Map([['A', '1']])],
    [{ kind: 'assignments' }, undefined, new Map()],
    [{ kind: 'choice', options: ['plan', 'apply'] }, 'plan', 'plan'],
  ])('%j reads %j as %j', (input, text, value) => expect(read(input, text)).toEqual(value));

  it.each<[InputDeclaration, string | undefined, RegExp]>([
    [{ kind: 'string', required: true }, undefined, /^Input "it": is required; set it under "with:"$/],
    [
      { kind: 'string', pattern: /[a-z]+/, expected: 'lower case' },
      'abc1',
      /"abc1" is not allowed here; .* lower case$/,
    ],
    [{ kind: 'string', pattern: /[a-z]+/, secret: true }, 'abc1', /"it": the value is not allowed/],
    [{ kind: 'boolean' }, 'yes', /"yes" is neither true nor false/],
    [{ kind: 'integer', min: 1, max: 5 }, '6', /"6" is no whole number from 1 to 5/],
    [{ kind: 'integer' }, '1.5', /"1.5" is no whole number$/],
    [{ kind: 'integer', min: 0 }, '-1', /of 0 or more$/],
    [{ kind: 'duration' }, '60', /"60" is no duration; .*30s/],
    [{ kind: 'json', parse: point }, '{"x":', /is no valid JSON/],
    [{ kind: 'json', parse: point }, '{}', /"it": a.0: expected an x$/],
    [{ kind: 'path', exists: 'file' }, '/no/such', /there is no file \/no\/such/],
    [{ kind: 'assignments', secret: true }, 'A 1', /"it": line 1 is not of the form NAME=value/],
    [{ kind: 'path', exists: 'file' }, '/', /there is no file \//],
    [
      { kind: 'choice', options: ['plan', 'apply'] },
      'aply',
      /not one of plan, apply; did you mean "apply"\?/,
    ],
  ])('%j refuses %j with %s', (input, text, message) => {
    expect(read(input, text)).toEqual([expect.stringMatching(message)]);
  });

  it('never quotes a secret, whatever is wrong with it', () => {
    const parse = (value: unknown): never => {
      throw new Error(`bad: ${JSON.stringify(value)}`);
    };
    expect(read({ kind: 'json', parse, secret: true }, '"hunter2"')).toEqual(['Input "it": it is not valid']);
    expect(read({ kind: 'json', parse, secret: true }, 'hunter2')).toEqual([
      expect.not.stringContaining('hunter2'),
    ]);
  });

  it('reads a path relative to the workspace', () => {
    const folder = mkdtempSync(join(tmpdir(), 'inputs-'));
    writeFileSync(join(folder, 'perlstack.yml'), '');
    const declaration = declare({ inputs: { stack: { kind: 'path', exists: 'file' } }, outputs: {} });
    const reading = readInputs(declaration, { GITHUB_WORKSPACE: folder, INPUT_STACK: 'perlstack.yml' });
    rmSync(folder, { recursive: true });
    expect(reading).toEqual({ values: { stack: join(folder, 'perlstack.yml') } });
  });

  it('finds names with dashes and spaces as the runner spells them', () => {
    const declaration = declare({
      inputs: { 'dry-run': { kind: 'boolean' }, 'a b': { kind: 'string' } },
      outputs: {},
    });
    const reading = readInputs(declaration, { 'INPUT_DRY-RUN': 'true', INPUT_A_B: 'x' });
    expect(reading).toEqual({ values: { 'dry-run': true, 'a b': 'x' } });
  });

  it('refuses an input that nobody declared', () => {
    const reading = readInputs(declare({ inputs: { mode: { kind: 'string' } }, outputs: {} }), {
      'INPUT_DRY-RUN': 'true',
    });
    expect(reading).toEqual({
      faults: [new UserError('Input "dry-run": there is no such input; allowed: mode')],
    });
  });
});

it('secretsIn gives the secrets, untrimmed and whether or not they are valid', () => {
  const declaration = declare({
    inputs: { key: { kind: 'json', parse: point, secret: true }, it: { kind: 'string' } },
    outputs: {},
  });
  expect(secretsIn(declaration, { INPUT_KEY: ' {', INPUT_IT: 'x' })).toEqual([' {']);
});
