import { setTimeout as sleep } from 'node:timers/promises';
import { execute, fileJournal, openSteps, type Step, undoSteps } from '@perlstack/procedure';
import { UserError } from '@perlstack/stack';
import { assertSucceeded, commonInputs, declare, runAction } from '../index.js';

/** A small action of the usual shape, for tests that run it as the runner would. */
const declaration = declare({
  inputs: {
    ...commonInputs,
    behaviour: {
      kind: 'choice',
      options: ['succeed', 'user-error', 'crash', 'wait', 'die', 'forget', 'leak', 'crash-later'],
      required: true,
    },
    wait: { kind: 'duration', default: '50ms' },
    key: { kind: 'string', secret: true },
  },
  outputs: { hosts: {}, note: { optional: true } },
  renamed: { 'private-key': 'key' },
});

const plan: Step[] = [
  { id: 'web-1/drain', kind: 'change', title: 'drain', host: 'web-1' },
  { id: 'web-1/nginx', kind: 'change', title: 'nginx', host: 'web-1', after: ['web-1/drain'] },
];

const handlers = {
  change: {
    run: async (step: Step) => {
      await sleep(20);
      return step.title === 'nginx' ? 'valid, reloaded' : undefined;
    },
    undo: async () => 'undrained',
  },
};

void runAction({
  name: 'fixture',
  declaration,
  main: async ({ inputs, log, reporter, signal, journal, output }) => {
    const { behaviour, key } = inputs;
    if (behaviour === 'user-error') {
      throw new UserError('perlstack.yml:14:12 tiers.app.type: no such type. Nothing was changed.', {
        location: { file: 'perlstack.yml', line: 14, column: 12 },
      });
    }
    if (behaviour === 'crash') throw new TypeError('x is undefined', { cause: new Error(`with ${key}`) });
    if (behaviour === 'crash-later') setTimeout(() => void JSON.parse('{'), 1);
    if (behaviour === 'leak') reporter.section({ title: 'Leak', body: `the key is ${key}`, code: 'text' });
    const outcome = await reporter.phase('Change', () =>
      execute(plan, handlers, { journal: fileJournal(journal), onEvent: reporter.onEvent, signal }),
    );
    assertSucceeded(outcome, signal);
    if (behaviour === 'wait') {
      log.info('waiting');
      await sleep(60_000, undefined, { signal });
    }
    if (behaviour === 'die') {
      fileJournal(journal).append({ step: plan[0] as Step, state: 'started' });
      process.kill(process.pid, 'SIGKILL');
    }
    if (behaviour !== 'forget') output('hosts', { 'web-1': 'ok' });
    if (behaviour === 'crash-later') await sleep(1_000);
    reporter.verdict('1 host changed.');
  },
  post: async ({ inputs, journal, reporter }) => {
    const open = openSteps(journal);
    await undoSteps(open, handlers, { journal: fileJournal(journal), onEvent: reporter.onEvent });
    if (inputs.key === 'unwilling')
      throw new UserError('web-1 could not be undrained: run the action again.');
  },
});
