import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { bundleInto } from '../one-file.js';

export interface Ran {
  readonly stdout: string;
  /** Wall time from its start to its end, in seconds. */
  readonly seconds: number;
}

/**
 * Runs a program to its end.
 *
 * @throws Error with what it said was wrong, or the end of its output, when it fails
 */
export async function timed(
  argv: readonly string[],
  options: { readonly input?: string; readonly env?: NodeJS.ProcessEnv } = {},
): Promise<Ran> {
  const [program = '', ...args] = argv;
  const start = performance.now();
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'], env: options.env ?? process.env });
  child.stdin.end(options.input ?? '');
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  const seconds = (performance.now() - start) / 1_000;
  if (child.exitCode === 0) return { stdout, seconds };
  throw new Error(`${program} ended with ${child.exitCode ?? child.signalCode}: ${gistOf(stdout + stderr)}`);
}

/**
 * Runs a tool's command, once the Debian package that brings it is installed.
 *
 * @throws Error as `timed` does
 */
export async function installedTool(argv: readonly string[], debianPackage: string): Promise<Ran> {
  const install = ['apt-get', 'install', '--yes', '--quiet', '--no-install-recommends', debianPackage];
  return timed(argv).catch(async () => {
    await timed(install).catch(async () => {
      await timed(['apt-get', 'update', '--quiet']);
      await timed(install);
    });
    return timed(argv);
  });
}

/** Of a long output, what was wrong; else its end. */
function gistOf(output: string): string {
  const wrong = output.split('\n').filter((line) => /^(?:fatal|failed|\w*Error): /.test(line));
  return (wrong.join('\n') || output).slice(-4_000);
}

const bundles = new Map<string, Promise<string>>();

/** A compiled program as `bundleInto` makes it, in a folder that is gone with this process. */
export function bundled(entry: string): Promise<string> {
  const made = bundles.get(entry) ?? bundleOnce(entry);
  bundles.set(entry, made);
  return made;
}

async function bundleOnce(entry: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'perlstack-bench-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  return bundleInto(folder, entry);
}
