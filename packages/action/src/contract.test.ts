import { describe, expect, it } from '@jest/globals';
import { compareWithActionYml } from './contract.js';
import { commonInputs, declare } from './declaration.js';

const declaration = declare({
  inputs: {
    ...commonInputs,
    key: { kind: 'string', required: true, secret: true },
    token: { kind: 'string', secret: true },
  },
  outputs: { verdict: {} },
});

const GOOD = `
name: x
inputs:
  summary: { description: Write a summary, default: 'true' }
  key: { description: A key, required: true }
  token: { description: A token, default: '\${{ github.token }}' }
outputs:
  verdict: { description: What came of it }
runs: { using: node24, main: dist/index.js, post: dist/index.js }
`;

describe('compareWithActionYml', () => {
  it('is silent when both agree', () => expect(compareWithActionYml(declaration, GOOD)).toEqual([]));

  it.each([
    [
      "summary: { description: Write a summary, default: 'true' }",
      '',
      'input "summary" is missing in action.yml',
    ],
    [
      'outputs:',
      '  more: { description: x }\noutputs:',
      'input "more" is in action.yml, but the code does not know it',
    ],
    ['verdict:', 'verdikt:', 'output "verdict" is missing in action.yml'],
    ['verdict:', 'verdikt:', 'output "verdikt" is in action.yml, but the code does not know it'],
    ['description: A key, ', '', 'input "key" has no description in action.yml'],
    [', required: true', '', 'input "key": required is true in the code, false in action.yml'],
    [
      "default: 'true'",
      "default: 'false'",
      'input "summary": default is "true" in the code, "false" in action.yml',
    ],
    [", default: 'true'", '', 'input "summary": default is "true" in the code, absent in action.yml'],
    [
      "default: 'true'",
      'default: true',
      'input "summary": write the default in action.yml as a string, in quotes',
    ],
    ['A key, ', "A key, default: 'x', ", 'input "key": a secret has no default'],
    ['node24', 'node20', 'runs.using is "node20", not "node24"'],
    ['main: dist/index.js', 'main: index.js', 'runs.main is "index.js", not "dist/index.js"'],
    ['post: dist/index.js', 'post: dist/post.js', 'runs.post is "dist/post.js", not the bundle of main'],
  ])('finds it when %j becomes %j', (from, to, difference) => {
    expect(compareWithActionYml(declaration, GOOD.replace(from, to))).toContain(difference);
  });
});
