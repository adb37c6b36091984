import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { annotationsOf, logOf } from './results.js';
import { jobOf, oneJob, stepOf, stepsOf, TestRepository } from './testing/repository.js';

const NODE_ACTION = (more: string): string => `
name: Probe
description: For tests
inputs:
  word: { description: A word, default: 'from \${{ github.repository }}' }
  host name: { description: A host }
outputs:
  said: { description: What it said }
runs: { using: node24, main: main.js${more} }
`;

// Every test here starts processes, on a machine that may be busy.
jest.setTimeout(60_000);

let repository: TestRepository;
beforeAll(() => {
  repository = new TestRepository();
});
afterAll(() => repository.remove());

describe('run steps', () => {
  it('pass outputs, variables and paths on, as text and as expressions', async () => {
    const run = await repository.run(
      oneJob(`
- id: set
  run: |
    echo "word=a b" >> "$GITHUB_OUTPUT"
    printf 'many<<END\\nx=1\\ny\\nEND\\n' >> "$GITHUB_OUTPUT"
    echo "LATER=from-file" >> "$GITHUB_ENV"
    mkdir bin && printf '#!/bin/sh\\necho found' > bin/own-tool && chmod +x bin/own-tool
    echo "$PWD/bin" >> "$GITHUB_PATH"
- id: get
  env: { OWN: '\${{ steps.set.outputs.word }}' }
  run: |
    echo "$OWN/$LATER/\${{ env.LATER }}/$(own-tool)/\${{ toJSON(steps.set.outputs.many) }}"
    echo "wf=$WF job=$JOB"`)
        .replace('jobs:', 'env: { WF: 1, JOB: no }\njobs:')
        .replace('    steps:', '    env: { JOB: "${{ github.ref_name }}2" }\n    steps:'),
    );
    const job = jobOf(run, 'job');
    expect(run.conclusion).toBe('success');
    expect(stepOf(job, 'set').outputs).toEqual({ word: 'a b', many: 'x=1\ny' });
    expect(stepOf(job, 'get').log).toContain('a b/from-file/from-file/found/x=1ny');
    expect(stepOf(job, 'get').log).toContain('wf=1 job=main2');
  });

  it('fail the job, skip what follows, and run what asks for the failure', async () => {
    const run = await repository.run(
      oneJob(`
- { id: good, run: 'true' }
- { id: bad, run: 'echo before; exit 3; echo after' }
- { id: skipped, run: 'true' }
- { id: on-failure, if: failure(), run: 'echo \${{ steps.bad.outcome }} \${{ steps.bad.conclusion }} \${{ job.status }}' }
- { id: not-cancelled, if: "!cancelled() && github.ref == 'refs/heads/main'", run: 'true' }
- { id: unsure, if: "always() && steps.good.outcome == 'failure'", run: 'true' }`),
    );
    const job = jobOf(run, 'job');
    expect(run.conclusion).toBe('failure');
    expect(stepsOf(job)).toEqual([
      'main good: success',
      'main bad: failure',
      'main skipped: skipped',
      'main on-failure: success',
      'main not-cancelled: success',
      'main unsure: skipped',
    ]);
    expect(stepOf(job, 'on-failure').log).toContain('failure failure failure');
    expect(stepOf(job, 'bad').annotations).toEqual([
      { level: 'error', message: 'Process completed with exit code 3.' },
    ]);
  });

  it('may fail with continue-on-error', async () => {
    const run = await repository.run(
      oneJob(`
- { id: bad, continue-on-error: true, run: 'exit 1' }
- { id: next, run: 'echo \${{ steps.bad.outcome }}/\${{ steps.bad.conclusion }}' }`),
    );
    expect(run.conclusion).toBe('success');
    expect(stepOf(jobOf(run, 'job'), 'next').log).toContain('failure/success');
  });

  it('use the shell and folder that are asked for', async () => {
    const run = await repository.run(
      oneJob(
        `
- { id: pipe, continue-on-error: true, run: 'false | true' }
- { id: lax, shell: 'bash -e {0}', run: 'false | true; basename "$PWD"', working-directory: '.' }
- { id: python, shell: python, run: 'print(6 * 7)' }`,
        'defaults: { run: { shell: bash, working-directory: .. } }',
      ),
    );
    const job = jobOf(run, 'job');
    expect(stepOf(job, 'pipe').outcome).toBe('failure');
    expect(stepOf(job, 'lax').log).toContain(`\n${repository.folder.split('/').at(-1)}`);
    expect(stepOf(job, 'python').log).toContain('42');
  });

  it('are stopped at their time limit, which is a failure', async () => {
    const run = await repository.run(oneJob(`- { id: slow, timeout-minutes: 0.005, run: 'exec sleep 60' }`));
    const slow = stepOf(jobOf(run, 'job'), 'slow');
    expect(slow.outcome).toBe('failure');
    expect(slow.annotations[0]?.message).toContain('has timed out after 0.005 minutes');
  });

  it('leave no process behind when their job ends', async () => {
    const run = await repository.run(
      oneJob(`- { id: left, run: 'sleep 600 & echo pid=$! >> "$GITHUB_OUTPUT"' }`),
    );
    const pid = Number(stepOf(jobOf(run, 'job'), 'left').outputs['pid']);
    expect(await hasEnded(pid)).toBe(true);
  });

  it('keep secrets out of everything that is shown', async () => {
    const lines: string[] = [];
    const run = await repository.run(
      oneJob(
        `
- id: leak
  env: { KEY: '\${{ secrets.KEY }}' }
  run: |
    echo "raw $KEY"; echo "$KEY" | base64 -w0; echo
    LATER=$(printf later; printf -- -secret)
    echo "::add-mask::$LATER"; echo "$LATER" >&2
    echo "::error title=$LATER::oh $LATER"
    echo "it=$LATER" >> "$GITHUB_OUTPUT"; echo "see $LATER" >> "$GITHUB_STEP_SUMMARY"`,
        'outputs: { it: "${{ steps.leak.outputs.it }}", ok: fine }',
      ),
      { secrets: { KEY: 'first-line-x\nsecond-line-y' }, onOutput: ({ text }) => lines.push(text) },
    );
    const shown = JSON.stringify(run) + lines.join('\n');
    expect(shown).not.toMatch(/first-line|second-line|ZmlyLWxpbmUt|c3QtbGluZS|later-secret/);
    expect(stepOf(jobOf(run, 'job'), 'leak').summary).toBe('see ***\n');
    expect(jobOf(run, 'job').outputs).toEqual({ ok: 'fine' });
    expect(annotationsOf(run)).toContainEqual({
      level: 'warning',
      message: "Skip output 'it' since it may contain secret.",
    });
  });

  it('annotate by workflow commands, and print them when these are stopped', async () => {
    const run = await repository.run(
      oneJob(`
- id: say
  run: |
    echo "::group::Title"; echo "::endgroup::"; echo "::debug::hidden"
    echo "::warning file=a.yml,line=3,col=7,title=T%3A1::two%0Alines"
    echo "::stop-commands::token"; echo "::error::plain"; echo "::token::"; echo "::notice::again"`),
    );
    const say = stepOf(jobOf(run, 'job'), 'say');
    expect(say.annotations).toEqual([
      { level: 'warning', message: 'two\nlines', title: 'T:1', file: 'a.yml', line: 3, column: 7 },
      { level: 'notice', message: 'again' },
    ]);
    expect(say.log).toContain(
      '##[group]Title\n##[endgroup]\n##[warning]two\nlines\n::error::plain\n##[notice]again',
    );
  });

  it.each([
    ['echo "::set-output name=x::y"', /workflow command ::set-output:: is not supported/],
    ['echo "no sense" >> "$GITHUB_OUTPUT"', /GITHUB_OUTPUT: invalid format 'no sense'/],
    ['echo "NODE_OPTIONS=x" >> "$GITHUB_ENV"', /GITHUB_ENV: NODE_OPTIONS can't be set/],
    ["echo '${{ hashFiles('x') }}'", /hashFiles\(\) is not supported/],
  ])('fail for %s', async (script, message) => {
    const run = await repository.run(oneJob(`- id: it\n  run: |\n    ${script}`));
    expect(stepOf(jobOf(run, 'job'), 'it').annotations.at(-1)?.message).toMatch(message);
    expect(run.conclusion).toBe('failure');
  });

  it('lose a summary that is too large, as on GitHub', async () => {
    const run = await repository.run(
      oneJob(`- { id: big, run: 'yes | head -c 1100000 >> "$GITHUB_STEP_SUMMARY"' }`),
    );
    const big = stepOf(jobOf(run, 'job'), 'big');
    expect([big.summary, big.conclusion]).toEqual(['', 'success']);
    expect(big.annotations[0]?.message).toContain('upload aborted');
  });
});

/** A process that was killed stays for a moment, and then as a zombie, which has no environment. */
async function hasEnded(pid: number): Promise<boolean> {
  for (let tries = 0; tries < 200; tries += 1) {
    if (environmentOf(pid) === '') return true;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return false;
}

function environmentOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'utf8');
  } catch {
    return '';
  }
}

describe('actions', () => {
  it('get their inputs, and keep state from pre over main to post, which run in the right order', async () => {
    const script = (phase: string): string => `
      const { appendFileSync } = require('node:fs');
      appendFileSync(process.env.GITHUB_STATE, '${phase}=seen\\n');
      appendFileSync(process.env.GITHUB_OUTPUT, 'said=' + process.env.INPUT_WORD + '\\n');
      console.log('${phase}', process.env.INPUT_WORD, process.env['INPUT_HOST_NAME'], Object.keys(process.env).filter((k) => k.startsWith('STATE_')).sort().join());
      if (process.env.INPUT_WORD === 'die-in-${phase}') process.exit(7);`;
    repository.action('probe', NODE_ACTION(', pre: pre.js, post: post.js'), {
      'pre.js': script('pre'),
      'main.js': script('main'),
      'post.js': script('post'),
    });
    const run = await repository.run(
      oneJob(`
- { id: one, uses: acme/suite/actions/probe@v1, with: { host name: web-1 } }
- { id: two, uses: acme/suite/actions/probe@v1, with: { word: die-in-main, unknown: x } }
- { id: three, uses: acme/suite/actions/probe@v1 }`),
      {
        actions: { 'acme/suite/actions/': join(repository.folder, 'actions') },
        github: { repository: 'acme/shop' },
      },
    );
    const job = jobOf(run, 'job');
    expect(stepsOf(job)).toEqual([
      'pre one: success',
      'pre two: success',
      'pre three: success',
      'main one: success',
      'main two: failure',
      'main three: skipped',
      'post two: success',
      'post one: success',
    ]);
    expect(stepOf(job, 'one').log).toContain('main from acme/shop web-1 STATE_pre');
    expect(stepOf(job, 'one').outputs).toEqual({ said: 'from acme/shop' });
    expect(stepOf(job, 'one', 'post').log).toContain('post from acme/shop web-1 STATE_main,STATE_pre');
    expect(stepOf(job, 'two').annotations[0]?.message).toBe(
      "Unexpected input(s) 'unknown', valid inputs are ['word', 'host name']",
    );
  });

  it('of the workspace need a checkout, which brings no stale files', async () => {
    repository.action('local', NODE_ACTION(''), {
      'main.js': 'console.log("ran", process.env.GITHUB_ACTION_REF)',
    });
    const run = await repository.run(
      oneJob(`
- { id: too-early, continue-on-error: true, uses: ./actions/local }
- { run: touch stale }
- { uses: actions/checkout@v4 }
- { id: now, uses: ./actions/local }
- { id: list, run: ls }
- { uses: actions/checkout@v4, with: { path: again } }
- { run: test -f again/actions/local/action.yml }`),
    );
    const job = jobOf(run, 'job');
    expect(run.conclusion).toBe('success');
    expect(stepOf(job, 'too-early').annotations[0]?.message).toMatch(/no action\.yml in .*actions\/checkout/);
    expect(stepOf(job, 'now').log).toContain('ran undefined');
    expect(stepOf(job, 'list').log).not.toContain('\nstale');
  });

  it('may be made of steps', async () => {
    repository.action(
      'composite',
      `
name: Composite
description: x
inputs: { who: { description: x, required: true } }
outputs: { greeting: { description: x, value: '\${{ steps.greet.outputs.text }}' } }
runs:
  using: composite
  steps:
    - { id: greet, shell: bash, run: 'echo "text=hello \${{ inputs.who }} $OUTER" >> $GITHUB_OUTPUT; test -f "$GITHUB_ACTION_PATH/action.yml"' }
    - { shell: bash, run: exit 1 }
    - { shell: bash, if: failure(), run: echo cleaned }
    - { shell: bash, run: echo never }
`,
      {},
    );
    const run = await repository.run(
      oneJob(`
- { id: c, uses: $/actions/composite, with: { who: shop }, env: { OUTER: outer }, continue-on-error: true }
- { id: after, run: 'echo "\${{ steps.c.outputs.greeting }} \${{ steps.greet.outputs.text }}"' }`),
    );
    const job = jobOf(run, 'job');
    expect(stepOf(job, 'c')).toMatchObject({ outcome: 'failure', outputs: { greeting: 'hello shop outer' } });
    expect(stepOf(job, 'c').log).toContain('\ncleaned');
    expect(stepOf(job, 'c').log).not.toContain('\nnever');
    expect(stepOf(job, 'after').log).toContain('\nhello shop outer ');
  });

  it('share artifacts between jobs, without permissions', async () => {
    const run = await repository.run(`
on: push
jobs:
  make:
    runs-on: ubuntu-latest
    steps:
      - run: mkdir -p out/sub && echo 1 > out/a.txt && echo 2 > out/sub/b && chmod +x out/a.txt && touch out/.hidden
      - { uses: actions/upload-artifact@v4, with: { name: build, path: out } }
      - { uses: actions/upload-artifact@v4, with: { name: texts, path: "out/**/*.txt\\n!out/none" } }
      - { id: twice, continue-on-error: true, uses: actions/upload-artifact@v4, with: { name: build, path: out } }
      - { id: none, continue-on-error: true, uses: actions/upload-artifact@v4, with: { path: nothing, if-no-files-found: error } }
  use:
    needs: make
    runs-on: ubuntu-latest
    steps:
      - { uses: actions/download-artifact@v4, with: { name: build, path: got } }
      - { uses: actions/download-artifact@v4, with: { path: all } }
      - { id: list, run: 'find . -type f | sort; test ! -x got/a.txt' }
`);
    expect(run.conclusion).toBe('success');
    expect(stepOf(jobOf(run, 'make'), 'twice').annotations[0]?.message).toContain('"build" already exists');
    expect(stepOf(jobOf(run, 'make'), 'none').outcome).toBe('failure');
    expect(stepOf(jobOf(run, 'use'), 'list').log).toContain(
      './all/build/a.txt\n./all/build/sub/b\n./all/texts/a.txt\n./got/a.txt\n./got/sub/b',
    );
  });
});

describe('jobs', () => {
  it('wait for what they need, see its outputs, and run or not by its result', async () => {
    const run = await repository.run(`
on: push
jobs:
  a:
    runs-on: ubuntu-latest
    outputs: { word: '\${{ steps.s.outputs.word }}' }
    steps: [{ id: s, run: 'echo word=hi >> $GITHUB_OUTPUT' }]
  bad: { runs-on: ubuntu-latest, steps: [{ run: exit 1 }] }
  b: { needs: a, runs-on: ubuntu-latest, steps: [{ id: s, run: 'echo \${{ needs.a.outputs.word }} \${{ needs.a.result }}' }] }
  c: { needs: [a, bad], runs-on: ubuntu-latest, steps: [{ run: 'true' }] }
  d: { needs: c, if: failure(), runs-on: ubuntu-latest, steps: [{ run: 'true' }] }
  e: { needs: c, if: "always() && needs.c.result == 'skipped'", runs-on: ubuntu-latest, steps: [{ run: 'true' }] }
  f: { needs: e, runs-on: ubuntu-latest, steps: [{ run: 'true' }] }
`);
    expect(run.jobs.map(({ id, conclusion }) => `${id} ${conclusion}`)).toEqual([
      'a success',
      'bad failure',
      'b success',
      'c skipped',
      'd success',
      'e success',
      'f skipped',
    ]);
    expect(logOf(run)).toContain('\nhi success');
    expect(run.conclusion).toBe('failure');
  });

  it('run side by side', async () => {
    const meet = (own: string, other: string): string =>
      `{ runs-on: ubuntu-latest, timeout-minutes: 0.2, steps: [{ run: 'touch "$MEET/${own}"; until test -e "$MEET/${other}"; do sleep 0.02; done' }] }`;
    const run = await repository.run(`on: push\njobs:\n  a: ${meet('a', 'b')}\n  b: ${meet('b', 'a')}\n`, {
      env: { MEET: repository.folder },
    });
    expect(run.conclusion).toBe('success');
  });

  it('are made of a matrix, and stop each other when one fails', async () => {
    const run = await repository.run(
      `
on: push
jobs:
  t:
    runs-on: ubuntu-latest
    strategy: { matrix: { os: [a, b], include: [{ os: b, extra: x }, { os: c }] } }
    steps:
      - { id: s, if: "matrix.os == 'b'", run: 'echo \${{ matrix.os }} \${{ matrix.extra }} \${{ strategy.job-total }}; exit 1' }
      - { if: "matrix.os != 'b'", run: exec sleep 60 }
`,
      { cancelGrace: { interruptMs: 100, terminateMs: 100 } },
    );
    expect(run.jobs.map(({ name, conclusion }) => `${name} ${conclusion}`)).toEqual([
      't (a) cancelled',
      't (b, x) failure',
      't (c) cancelled',
    ]);
    expect(logOf(run)).toContain('\nb x 3');
  });

  it('may call another workflow of the repository', async () => {
    repository.write({
      '.github/workflows/called.yml': `
on:
  workflow_call:
    inputs: { count: { type: number, required: true } }
    secrets: { KEY: { required: true } }
    outputs: { made: { value: '\${{ jobs.inner.outputs.made }}' } }
jobs:
  inner:
    runs-on: ubuntu-latest
    outputs: { made: '\${{ steps.s.outputs.made }}' }
    steps: [{ id: s, run: 'test -n "\${{ secrets.KEY }}" && echo made=\${{ inputs.count }} >> $GITHUB_OUTPUT' }]
`,
    });
    const run = await repository.run(
      `
on: push
jobs:
  call: { uses: ./.github/workflows/called.yml, with: { count: 3 }, secrets: { KEY: '\${{ secrets.OTHER }}' } }
  after: { needs: call, runs-on: ubuntu-latest, steps: [{ run: 'test \${{ needs.call.outputs.made }} = 3' }] }
`,
      { secrets: { OTHER: 'some-secret' } },
    );
    expect(run.jobs.map(({ name, conclusion }) => `${name} ${conclusion}`)).toEqual([
      'call / inner success',
      'after success',
    ]);
  });

  it('of one concurrency group run one after the other, and the newest of those that wait stays', async () => {
    const workflow = (n: number): string =>
      oneJob(`- { run: 'mkdir "$LOCK" && sleep 0.2 && rmdir "$LOCK"' }`).replace(
        'jobs:',
        `concurrency: deploy\nname: r${n}\njobs:`,
      );
    const env = { LOCK: join(repository.folder, 'lock') };
    const first = repository.run(workflow(1), { env });
    await untilExists(env.LOCK);
    const second = repository.run(workflow(2), { env });
    const third = repository.run(workflow(3), { env });
    expect((await Promise.all([first, second, third])).map(({ conclusion }) => conclusion).sort()).toEqual([
      'cancelled',
      'success',
      'success',
    ]);
  });

  it('are cancelled by a newer run where the group says so', async () => {
    const workflow = (script: string): string =>
      oneJob(`- { run: '${script}' }`).replace(
        'jobs:',
        'concurrency: { group: pr, cancel-in-progress: true }\njobs:',
      );
    const started = join(repository.folder, 'started');
    const first = repository.run(workflow(`touch ${started}; exec sleep 60`), {
      cancelGrace: { interruptMs: 100, terminateMs: 100 },
    });
    await untilExists(started);
    const second = await repository.run(workflow('true'));
    expect([(await first).conclusion, second.conclusion]).toEqual(['cancelled', 'success']);
  });
});

async function untilExists(path: string): Promise<void> {
  for (let tries = 0; tries < 400; tries += 1) {
    if (existsSync(path)) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error(`${path} did not come to be`);
}

describe('a cancel', () => {
  it('signals as GitHub does, then runs post, always() and cancelled() steps, and no others', async () => {
    const script = `
      process.on('SIGINT', () => console.log('got SIGINT'));
      process.on('SIGTERM', () => { console.log('got SIGTERM'); process.exit(0); });
      setInterval(() => {}, 1000); console.log('ready');`;
    repository.action('stubborn', NODE_ACTION(', post: post.js'), {
      'main.js': script,
      'post.js': 'console.log("post ran")',
    });
    const abort = new AbortController();
    const run = await repository.run(
      oneJob(`
- { uses: actions/checkout@v4 }
- { id: it, uses: ./actions/stubborn }
- { id: next, run: 'true' }
- { id: on-cancel, if: cancelled(), run: 'echo \${{ steps.it.outcome }}' }
- { id: anyway, if: always(), run: 'true' }
- { id: on-failure, if: failure(), run: 'true' }`),
      {
        signal: abort.signal,
        cancelGrace: { interruptMs: 200, terminateMs: 60_000 },
        onOutput: ({ text }) => (text === 'ready' ? abort.abort() : undefined),
      },
    );
    const job = jobOf(run, 'job');
    expect(stepsOf(job).slice(1)).toEqual([
      'main it: cancelled',
      'main next: skipped',
      'main on-cancel: success',
      'main anyway: success',
      'main on-failure: skipped',
      'post it: success',
    ]);
    expect(stepOf(job, 'it').log).toMatch(
      /ready\ngot SIGINT\ngot SIGTERM\n##\[error\]The operation was canceled\.$/,
    );
    expect([job.conclusion, run.conclusion]).toEqual(['cancelled', 'cancelled']);
  });

  it('kills what does not listen, with all its children', async () => {
    const abort = new AbortController();
    const run = await repository.run(
      oneJob(`- { id: deaf, run: 'trap "" INT TERM; sleep 600 & echo pid=$!; wait' }`),
      {
        signal: abort.signal,
        cancelGrace: { interruptMs: 50, terminateMs: 50 },
        onOutput: ({ text }) => (text.startsWith('pid=') ? abort.abort() : undefined),
      },
    );
    const deaf = stepOf(jobOf(run, 'job'), 'deaf');
    expect(deaf.outcome).toBe('cancelled');
    expect(await hasEnded(Number(/^pid=(\d+)$/m.exec(deaf.log)?.[1]))).toBe(true);
  });

  it('keeps jobs from starting, but for those that always run', async () => {
    const abort = new AbortController();
    const run = await repository.run(
      `
on: push
jobs:
  a: { runs-on: ubuntu-latest, steps: [{ run: 'echo go; exec sleep 60' }] }
  b: { needs: a, runs-on: ubuntu-latest, steps: [{ run: 'true' }] }
  c: { needs: a, if: always(), runs-on: ubuntu-latest, steps: [{ if: always(), run: 'true' }] }
`,
      {
        signal: abort.signal,
        cancelGrace: { interruptMs: 100, terminateMs: 100 },
        onOutput: ({ text }) => (text === 'go' ? abort.abort() : undefined),
      },
    );
    expect(
      run.jobs.map(({ id, conclusion, steps }) => [id, conclusion, ...steps.map((step) => step.conclusion)]),
    ).toEqual([
      ['a', 'cancelled', 'cancelled'],
      ['b', 'cancelled'],
      ['c', 'cancelled', 'success'],
    ]);
  });
});

describe('events', () => {
  const dispatch = (use: string): string => `
on:
  push: { branches: [main, 'release/**', '!release/old'] }
  schedule: [{ cron: '0 3 * * *' }]
  workflow_dispatch:
    inputs:
      mode: { type: choice, options: [plan, apply], default: plan }
      force: { type: boolean }
      release: { type: string, required: true }
run-name: Deploy \${{ inputs.release }}
jobs:
  job:
    runs-on: ubuntu-latest
    steps: [{ id: s, run: ${JSON.stringify(use)} }]
`;

  it('hand over typed inputs', async () => {
    const run = await repository.run(
      dispatch(
        "echo ${{ inputs.mode }} ${{ inputs.force && 1 || 0 }} ; echo '${{ toJSON(github.event.inputs) }}' | tr -d \"\\n \"; echo \"it's ${{ 1 }} 'quoted'\"",
      ),
      {
        event: 'workflow_dispatch',
        inputs: { release: 'r2', force: true },
      },
    );
    expect(run.title).toBe('Deploy r2');
    expect(logOf(run)).toContain('\nplan 1\n{"mode":"plan","force":"true","release":"r2"}it\'s 1 \'quoted\'');
  });

  it.each([
    ['workflow_dispatch', {}, /on.workflow_dispatch.inputs.release is required/],
    ['workflow_dispatch', { release: 'x', mod: 'plan' }, /unknown input "mod"; did you mean "mode"/],
    ['workflow_dispatch', { release: 'x', mode: 'no' }, /mode: "no" is not one of plan, apply/],
    ['workflow_dispatch', { release: 'x', force: 'yes' }, /"yes" is neither true nor false/],
    ['pull_request', {}, /not started by pull_request; it has: push, schedule, workflow_dispatch/],
  ])('of %s with %j are refused', async (event, inputs, message) => {
    await expect(repository.run(dispatch('true'), { event, inputs })).rejects.toThrow(message);
  });

  it.each([
    ['refs/heads/main', true],
    ['refs/heads/release/1/x', true],
    ['refs/heads/release/old', false],
    ['refs/heads/other', false],
    ['refs/tags/v1', false],
  ])('start a run of a push to %s: %s', async (ref, starts) => {
    const run = repository.run(dispatch('true'), { github: { ref } });
    if (starts) expect((await run).conclusion).toBe('success');
    else await expect(run).rejects.toThrow(/not started by a push/);
  });

  it('of a schedule carry its cron', async () => {
    const run = await repository.run(dispatch("echo '${{ github.event.schedule }}'"), { event: 'schedule' });
    expect(logOf(run)).toContain('\n0 3 * * *');
  });
});

describe('a workflow that is wrong or not supported', () => {
  it.each([
    ['on: push\njobs:\n  a:\n    runs-on: x\n    stepz: []\n', /test\.yml:5:5 .*stepz/],
    ['on: push\njobs: {\n', /test\.yml:\d+:\d+ /],
    [
      'on: push\njobs: { a: { runs-on: x, needs: b, steps: [{ run: x }] } }\n',
      /test\.yml:2:\d+ .*no dependencies/,
    ],
    [oneJob('- { run: "${{ secrets.X || }}" }'), /test\.yml:\d+:\d+ /],
    [oneJob('- { run: x }', 'container: debian'), /jobs\.job\.container is not supported/],
    [oneJob('- { run: x, background: true }'), /test\.yml:.*background/],
    [
      oneJob('- { run: x }').replace('ubuntu-latest', 'windows-latest'),
      /runs-on: windows-latest is not supported/,
    ],
    [oneJob('- { uses: some/action@v1 }'), /uses: some\/action@v1 is not supported/],
  ])('%j is refused', async (workflow, message) => {
    await expect(repository.run(workflow)).rejects.toThrow(message);
  });
});
