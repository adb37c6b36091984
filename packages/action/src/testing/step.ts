import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Run {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

const here = import.meta.dirname;

/** One step of a job: runs the fixture as main and post with the runner's variables and files. */
export class TestStep {
  readonly folder = mkdtempSync(join(tmpdir(), 'perlstack-action-'));
  readonly #env: Record<string, string>;

  constructor(inputs: Record<string, string>, { github = true } = {}) {
    this.#env = { PATH: process.env['PATH'] ?? '', RUNNER_TEMP: this.folder };
    for (const [name, value] of Object.entries(inputs)) this.#env[`INPUT_${name.toUpperCase()}`] = value;
    if (github) this.#fakeRunner();
  }

  #fakeRunner(): void {
    this.#env['GITHUB_ACTIONS'] = 'true';
    this.#env['GITHUB_WORKSPACE'] = this.folder;
    for (const name of ['OUTPUT', 'STATE', 'STEP_SUMMARY']) {
      this.#env[`GITHUB_${name}`] = join(this.folder, name);
      writeFileSync(join(this.folder, name), '');
    }
  }

  /** Runs the action to its end; `whenSeen` is called once with the process when `text` is in its output. */
  run(whenSeen?: { text: string; act: (child: ChildProcess) => void }): Promise<Run> {
    const child = spawn(
      process.execPath,
      ['--import', join(here, 'sources.mjs'), join(here, 'fixture-action.ts')],
      { cwd: this.folder, env: this.#env, stdio: ['ignore', 'pipe', 'pipe'] },
    );
    let [stdout, stderr, pending] = ['', '', whenSeen];
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
      if (!pending || !stdout.includes(pending.text)) return;
      pending.act(child);
      pending = undefined;
    });
    return new Promise((resolve, reject) => {
      child.on('error', reject).on('close', (code, signal) => resolve({ code, signal, stdout, stderr }));
    });
  }

  /** Makes the next run the post of this step, with the state that main saved. */
  becomePost(): this {
    for (const [name, value] of Object.entries(this.entries('STATE'))) this.#env[`STATE_${name}`] = value;
    return this;
  }

  file(name: 'OUTPUT' | 'STATE' | 'STEP_SUMMARY'): string {
    const path = join(this.folder, name);
    return existsSync(path) ? readFileSync(path, 'utf8') : '';
  }

  /** The entries of one of the runner's `name<<delimiter` files. */
  entries(name: 'OUTPUT' | 'STATE'): Record<string, string> {
    const matches = this.file(name).matchAll(/^(.+)<<(ghadelimiter_.+)\n([^]*?)\n\2$/gm);
    return Object.fromEntries([...matches].map(([, key = '', , value = '']) => [key, value]));
  }

  remove(): void {
    rmSync(this.folder, { recursive: true });
  }
}
