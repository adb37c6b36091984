import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { TestStep } from './testing/step.js';

const KEY = '-----BEGIN KEY-----\nline-one-of-the-key\nline+two/of"the-key\n-----END KEY-----\n';

// Every test here starts processes, on a machine that may be busy.
jest.setTimeout(60_000);

const steps: TestStep[] = [];
function step(inputs: Record<string, string>, options?: { github?: boolean }): TestStep {
  const made = new TestStep({ behaviour: 'succeed', ...inputs }, options);
  steps.push(made);
  return made;
}
afterEach(() => steps.splice(0).forEach((made) => made.remove()));

describe('an action run by the runner', () => {
  it('logs, sets outputs, writes the summary, and its post has nothing to do', async () => {
    const main = step({ key: KEY });
    const run = await main.run();
    expect(run).toMatchObject({ code: 0, stderr: '' });
    expect(run.stdout).toMatch(
      /::group::Change\nweb-1 · drain: done \(.*\)\nweb-1 · nginx: valid, reloaded \(.*\)\n::endgroup::/,
    );
    expect(main.entries('OUTPUT')).toEqual({ hosts: '{"web-1":"ok"}' });
    expect(main.file('STEP_SUMMARY')).toContain('1 host changed.');
    expect(main.file('STEP_SUMMARY')).toContain('section web-1');
    expect(await main.becomePost().run()).toMatchObject({ code: 0 });
  });

  it('masks every form of a secret before anything else is printed, and in the summary', async () => {
    const main = step({ behaviour: 'leak', key: KEY });
    const { stdout } = await main.run();
    const [masks = '', rest = ''] = stdout.split(/(?<=::add-mask::.*\n)(?!::add-mask::)/);
    expect(masks).toContain('::add-mask::line-one-of-the-key\n');
    expect(masks).toContain('::add-mask::line+two/of\\"the-key\n');
    expect(rest).not.toContain('line-one');
    expect(main.file('STEP_SUMMARY')).toContain('***');
    expect(main.file('STEP_SUMMARY')).not.toContain('of-the-key');
  });

  it("prints a user's fault as one annotation at its place, without a stack trace", async () => {
    const { code, stdout } = await step({ behaviour: 'user-error' }).run();
    expect(code).toBe(1);
    expect(stdout.trim()).toBe(
      '::error title=fixture,file=perlstack.yml,line=14,col=12::perlstack.yml:14:12 tiers.app.type: no such type. Nothing was changed.',
    );
  });

  it('prints a fault of its own with the stack trace and its cause, without secrets', async () => {
    const { code, stdout } = await step({ behaviour: 'crash', key: 'hunter2hunter2' }).run();
    expect(code).toBe(1);
    expect(stdout).toContain(
      '::error title=fixture::x is undefined (a fault of fixture itself: please report it',
    );
    expect(stdout).toMatch(/at .*main \(.*fixture-action\.ts/);
    expect(stdout).toContain('Caused by: Error: with ***');
  });

  it('reports an error thrown outside main', async () => {
    const { code, stdout } = await step({ behaviour: 'crash-later' }).run();
    expect(code).toBe(1);
    expect(stdout).toMatch(/::error title=fixture::.*please report it/);
  });

  it('refuses all bad inputs at once, does nothing, and its post neither', async () => {
    const main = step({ behaviour: 'succed', wait: '5', 'private-key': 'x', sumary: 'false' });
    const { code, stdout } = await main.run();
    expect(code).toBe(1);
    expect(stdout.split('\n').filter(Boolean)).toEqual([
      expect.stringMatching(/Input "private-key": is now called "key"/),
      expect.stringMatching(/Input "sumary": there is no such input; did you mean "summary"\?/),
      expect.stringMatching(/Input "behaviour": "succed" is not one of .*; did you mean "succeed"\?/),
      expect.stringMatching(/Input "wait": "5" is no duration; .*30s/),
    ]);
    expect(await main.becomePost().run()).toMatchObject({ code: 0, stdout: '' });
  });

  it('calls it a fault when main forgot an output', async () => {
    const { code, stdout } = await step({ behaviour: 'forget' }).run();
    expect(code).toBe(1);
    expect(stdout).toContain('Outputs were not set: hosts');
  });

  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('stops at %s and says so', async (signal, code) => {
    const run = await step({ behaviour: 'wait' }).run({
      text: 'waiting',
      act: (child) => child.kill(signal),
    });
    expect(run.code).toBe(code);
    expect(run.stdout).toContain(`::warning::Cancelled (${signal})`);
    expect(run.stdout).not.toContain('::error');
  });

  it('puts back in its post what a killed main left', async () => {
    const main = step({ behaviour: 'die' });
    expect(await main.run()).toMatchObject({ signal: 'SIGKILL' });
    const post = await main.becomePost().run();
    expect(post.code).toBe(0);
    expect(post.stdout).toContain('web-1 · drain: put back, undrained');
    expect(await main.run()).toMatchObject({ code: 0, stdout: '' });
  });

  it('does not fail the job when its post fails, but says what could not be put back', async () => {
    const main = step({ key: 'unwilling' });
    await main.run();
    const post = await main.becomePost().run();
    expect(post.code).toBe(0);
    expect(post.stdout).toContain(
      '::error title=fixture::web-1 could not be undrained: run the action again.',
    );
  });

  it('writes no summary when the input says so', async () => {
    const main = step({ summary: 'false' });
    await main.run();
    expect(main.file('STEP_SUMMARY')).toBe('');
  });
});

describe('an action run on a terminal', () => {
  it('prints plain lines, a table and its outputs, and never a secret', async () => {
    const { code, stdout } = await step(
      { behaviour: 'leak', key: 'hunter2hunter2' },
      { github: false },
    ).run();
    expect(code).toBe(0);
    expect(stdout).not.toContain('::');
    expect(stdout).not.toContain('hunter2');
    expect(stdout).toContain('hosts = {"web-1":"ok"}');
    expect(stdout).toMatch(/Host +Step +Result +Time\n-+/);
  });

  it('calls its post itself', async () => {
    const run = await step({ key: 'unwilling' }, { github: false }).run();
    expect(run.stdout).toContain('Error: web-1 could not be undrained');
    expect(run.code).toBe(0);
  });
});
