// The entry of every npm script: makes a fresh clone runnable, then starts a verb's compiled program under Node 24.
// Plain JavaScript without dependencies, because it runs before anything is installed or compiled.
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const BIN = join(ROOT, 'node_modules', '.bin');
const STAMP = join(ROOT, 'node_modules', '.perlstack-stamp');
const OLDEST_NODE = 20;
/** The version that GitHub's runners give to an action (`using: node24`). */
const RUNTIME_NODE = 24;

/** The program of each verb, and whether it needs the terminal for itself (a shell on a host). */
const VERBS = {
  demo: { program: 'test/lib/demo.js' },
  cloud: { program: 'packages/local-cloud/lib/cli.js', interactive: true },
  test: { program: 'packages/tooling/lib/test.js' },
  bench: { program: 'test/lib/bench.js' },
  build: { program: 'packages/tooling/lib/build.js' },
  check: { program: 'packages/tooling/lib/check.js' },
  docs: { program: 'packages/tooling/lib/docs.js' },
};

function say(text) {
  process.stderr.write(`perlstack: ${text}\n`);
}

function fail(text) {
  say(text);
  process.exit(1);
}

function checkMachine() {
  const major = Number(process.versions.node.split('.')[0]);
  if (major < OLDEST_NODE)
    fail(
      `Node ${process.versions.node} is too old: install Node ${OLDEST_NODE} or later and run this again.`,
    );
  if (process.platform === 'win32')
    fail('Windows has no hosts to offer: run this on Linux (WSL 2 will do) or macOS.');
}

/** Every file that decides what is installed. */
function manifests() {
  const members = ['packages', 'actions'].flatMap((folder) =>
    readdirSync(join(ROOT, folder)).map((name) => join(folder, name, 'package.json')),
  );
  return ['package.json', 'pnpm-lock.yaml', 'pnpm-workspace.yaml', 'test/package.json', ...members.sort()];
}

function fingerprint() {
  const hash = createHash('sha256').update(`${process.platform} ${process.arch}\n`);
  for (const file of manifests()) {
    if (!existsSync(join(ROOT, file))) continue;
    hash.update(`${file}\n`).update(readFileSync(join(ROOT, file)));
  }
  return hash.digest('hex');
}

function isInstalled(stamp) {
  return existsSync(STAMP) && readFileSync(STAMP, 'utf8') === stamp && existsSync(join(BIN, 'tsc'));
}

/** Ends this program when a tool that it waited for was interrupted. */
function run(command, args, options) {
  const result = spawnSync(command, args, { cwd: ROOT, ...options });
  if (result.signal) process.exit(128 + constants.signals[result.signal]);
  return result;
}

function install() {
  const stamp = fingerprint();
  if (isInstalled(stamp)) return;
  const pnpm = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')).packageManager;
  say(`installing the packages of pnpm-lock.yaml with ${pnpm} (once; about half a minute) …`);
  const started = Date.now();
  const args = [
    'exec',
    '--yes',
    '--',
    pnpm,
    'install',
    '--frozen-lockfile',
    '--config.confirmModulesPurge=false',
  ];
  const { status, error, stdout, stderr } = run('npm', args, { stdio: 'pipe', encoding: 'utf8' });
  if (status !== 0) {
    process.stderr.write(`${stdout ?? ''}${stderr ?? ''}`);
    const cause = error ? error.message : `exit code ${status}`;
    fail(
      `the packages could not be installed (${cause}, output above): check the network and the npm settings, then run this again.`,
    );
  }
  writeFileSync(STAMP, stamp);
  say(`packages installed in ${Math.round((Date.now() - started) / 1000)} s`);
}

/** @returns whether every package passed the type check; JavaScript is written either way. */
function compile() {
  const { status, error } = run(join(BIN, 'tsc'), ['-b'], { stdio: ['ignore', 2, 2] });
  if (error) fail(`the compiler did not start: ${error.message}; remove node_modules and run this again.`);
  return status === 0;
}

/** The Node that the verb runs under: the one from npm on Linux x64, elsewhere the machine's own. */
function runtime() {
  const bundled = join(BIN, 'node');
  if (process.platform === 'linux' && process.arch === 'x64' && existsSync(bundled)) return bundled;
  if (Number(process.versions.node.split('.')[0]) >= RUNTIME_NODE) return process.execPath;
  return fail(
    `this machine has Node ${process.versions.node}, and npm brings Node ${RUNTIME_NODE} only for Linux x64: install Node ${RUNTIME_NODE} or later and run this again.`,
  );
}

/**
 * A key press reaches this process twice, from the terminal and from npm: the child gets it once, because it is in
 * a session of its own and a signal that follows within this many milliseconds counts as the same.
 */
const SAME_SIGNAL_MS = 500;

function forwardSignals(child) {
  const last = {};
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.on(signal, () => {
      const now = Date.now();
      if (now - (last[signal] ?? -Infinity) > SAME_SIGNAL_MS) child.kill(signal);
      last[signal] = now;
    });
  }
}

function start(verb, args, types) {
  const { program, interactive } = VERBS[verb];
  const ownsTerminal = interactive === true && process.stdin.isTTY === true;
  const child = spawn(runtime(), [join(ROOT, program), ...args], {
    cwd: ROOT,
    stdio: 'inherit',
    // A shell on a host needs the controlling terminal, which then brings it the key presses itself.
    detached: !ownsTerminal,
    env: { ...process.env, PERLSTACK_TYPES: types ? 'passed' : 'failed' },
  });
  if (ownsTerminal) for (const signal of ['SIGINT', 'SIGQUIT']) process.on(signal, () => {});
  else forwardSignals(child);
  child.on('error', (error) => fail(`${verb} did not start: ${error.message}`));
  child.on('exit', (code, signal) => process.exit(signal ? 128 + constants.signals[signal] : (code ?? 1)));
}

const [verb, ...args] = process.argv.slice(2);
checkMachine();
if (!Object.hasOwn(VERBS, verb ?? ''))
  fail(`unknown verb "${verb ?? ''}": one of ${Object.keys(VERBS).join(', ')}.`);
install();
const types = compile();
// A failed type check is one failed test among others; every other verb would run code that is known to be wrong.
if (!types && verb !== 'test') fail(`${verb} was not started: the type check failed (output above).`);
if (!existsSync(join(ROOT, VERBS[verb].program)))
  fail(`${verb} was not started: ${VERBS[verb].program} is missing.`);
start(verb, args, types);
