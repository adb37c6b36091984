import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFile, chmod, cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { inRoot } from './repository.js';

/** A checkout with one program; its npm notes what it is asked for and "installs" a compiler that accepts all. */
let root: string;

const NPM = `#!/bin/sh
echo "$@" >> npm.log
test -e npm-fails && { echo "no route to host"; exit 1; }
mkdir -p node_modules/.bin && printf '#!/bin/sh\\ntest ! -e type-error' > node_modules/.bin/tsc && chmod +x node_modules/.bin/tsc
`;

/** Prints its words; with the word "wait" it counts signals until one second has passed, else it exits with 7. */
const PROGRAM = `
let signals = 0;
process.on('SIGINT', () => console.log('signals', ++signals));
console.log(JSON.stringify(process.argv.slice(2)));
if (process.argv[2] === 'wait') setTimeout(() => process.exit(signals), 1000);
else process.exitCode = 7;
`;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'perlstack checkout '));
  await write('bin/npm', NPM);
  await chmod(join(root, 'bin', 'npm'), 0o755);
  await write('test/lib/demo.js', PROGRAM);
  await write('package.json', JSON.stringify({ type: 'module', packageManager: 'pnpm@1.2.3' }));
  await write('pnpm-lock.yaml', 'one\n');
  await mkdir(join(root, 'actions'));
  await mkdir(join(root, 'packages', 'tooling'), { recursive: true });
  await cp(
    inRoot('packages', 'tooling', 'bootstrap.mjs'),
    join(root, 'packages', 'tooling', 'bootstrap.mjs'),
  );
});
afterEach(() => rm(root, { recursive: true }));

async function write(file: string, text: string): Promise<void> {
  await mkdir(dirname(join(root, file)), { recursive: true });
  await writeFile(join(root, file), text);
}

function start(...words: string[]): { child: ChildProcess; output: () => string } {
  const child = spawn(process.execPath, [join(root, 'packages', 'tooling', 'bootstrap.mjs'), ...words], {
    env: { ...process.env, PATH: `${join(root, 'bin')}${delimiter}${process.env['PATH']}` },
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text) => (output += text));
  return { child, output: () => output };
}

async function run(...words: string[]): Promise<{ code: unknown; output: string }> {
  const { child, output } = start(...words);
  const [code] = (await once(child, 'close')) as unknown[];
  return { code, output: output() };
}

describe('bootstrap', () => {
  it('installs once, and again when the lock changes', async () => {
    await run('demo');
    await run('demo');
    await appendFile(join(root, 'pnpm-lock.yaml'), 'two\n');
    await run('demo');
    const calls = (await readFile(join(root, 'npm.log'), 'utf8')).trim().split('\n');
    expect(calls).toHaveLength(2);
    expect(calls[0]).toMatch(/^exec --yes -- pnpm@1\.2\.3 install --frozen-lockfile/);
  });

  it('passes words and exit code on', async () => {
    const { code, output } = await run('demo', '--report', 'a b');
    expect(code).toBe(7);
    expect(output).toContain('["--report","a b"]');
  });

  it('says what to do when the installation fails, and tries again the next time', async () => {
    await write('npm-fails', '');
    const { code, output } = await run('demo');
    expect(code).toBe(1);
    expect(output).toMatch(/no route to host[^]*could not be installed \(exit code 1.*run this again/);
    await rm(join(root, 'npm-fails'));
    expect(await run('demo')).toMatchObject({ code: 7 });
  });

  it('does not start a program that failed the type check', async () => {
    await write('type-error', '');
    const { code, output } = await run('demo');
    expect(code).toBe(1);
    expect(output).toContain('demo was not started: the type check failed');
  });

  it.each([
    ['nothing', []],
    ['an unknown verb', ['dmeo']],
    ['a property that every object has', ['constructor']],
  ])('refuses %s with the list of verbs', async (_what, words) => {
    const { code, output } = await run(...words);
    expect(code).toBe(1);
    expect(output).toContain('one of demo, cloud, test');
  });

  it('forwards a signal that comes twice, as npm and the terminal send it, once', async () => {
    const { child, output } = start('demo', 'wait');
    while (!output().includes('wait')) await once(child.stdout ?? child, 'data');
    child.kill('SIGINT');
    // Two that are pending at the same time would count as one anyway.
    await setTimeout(50);
    child.kill('SIGINT');
    const [code] = (await once(child, 'close')) as unknown[];
    expect(output()).toContain('signals 1');
    expect(code).toBe(1);
  });
});
