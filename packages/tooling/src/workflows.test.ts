import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { readActionYmls } from './action-yml.js';
import { inRoot } from './repository.js';
import { lintWorkflow } from './workflow-lint.js';

const WORKFLOWS = ['.github/workflows', 'workflows-examples'].flatMap((folder) =>
  readdirSync(inRoot(folder)).map((name) => `${folder}/${name}`),
);

it.each(WORKFLOWS)('%s has no fault', async (file) => {
  const text = readFileSync(inRoot(file), 'utf8');
  expect(await lintWorkflow({ file, text }, await readActionYmls())).toEqual([]);
});

describe('lintWorkflow', () => {
  const actions = new Map([
    [
      'health-gate',
      {
        description: 'Gate',
        inputs: { urls: { description: 'URLs', required: true } },
        outputs: { passed: {} },
      },
    ],
  ]);
  const workflow = (step: string, after = 'echo') => ({
    file: 'w.yml',
    text: [
      'on: push',
      'permissions: { contents: read }',
      'jobs:',
      '  gate:',
      '    runs-on: ubuntu-24.04',
      '    steps:',
      `      - { id: gate, uses: org/perlstack/actions/health-gate@v1${step} }`,
      `      - run: ${after}`,
    ].join('\n'),
  });
  const good = ', with: { urls: "http://localhost/" }';

  it('finds nothing in a correct workflow', async () => {
    const read = 'echo ${{ steps.gate.outputs.passed }}';
    expect(await lintWorkflow(workflow(good, read), actions)).toEqual([]);
  });

  it.each([
    ['an unknown input', workflow(', with: { urls: x, url: y }'), /w\.yml:7: Invalid action input 'url'/],
    ['a missing input', workflow(''), /w\.yml:7: Missing required input `urls`/],
    ['an unknown output', workflow(good, 'echo ${{ steps.gate.outputs.pased }}'), /has no output "pased"/],
    ['untrusted text', workflow(good, 'echo ${{ github.event.issue.title }}'), /w\.yml:8: .*untrusted/],
    ['an unknown context', workflow(good, 'echo ${{ step.gate }}'), /w\.yml:8: .*step/],
  ])('finds %s', async (_what, file, fault) => {
    expect(await lintWorkflow(file, actions)).toContainEqual(expect.stringMatching(fault));
  });

  it('finds an action that is not there', async () => {
    expect(await lintWorkflow(workflow(good), new Map())).toContainEqual(
      expect.stringMatching(/w\.yml:7: Unable to resolve action/),
    );
  });
});
