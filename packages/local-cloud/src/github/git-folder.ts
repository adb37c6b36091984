import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

/** A git repository in a folder of its own, for a simulated GitHub to show; its only branch is `main`. */
export class GitFolder {
  readonly folder = mkdtempSync(join(tmpdir(), 'perlstack-repository-'));

  constructor() {
    this.#git('init', '--quiet', '--initial-branch=main');
  }

  /**
   * Writes files and commits them.
   *
   * @param files text by path
   * @returns the id of the commit
   */
  commit(files: Readonly<Record<string, string>>): string {
    for (const [name, text] of Object.entries(files)) {
      const path = join(this.folder, name);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, text);
    }
    this.#git('add', '.');
    this.#git('commit', '--quiet', '--message', Object.keys(files).join(', '));
    return this.#git('rev-parse', 'HEAD');
  }

  remove(): void {
    rmSync(this.folder, { recursive: true });
  }

  #git(...args: readonly string[]): string {
    const identity = ['-c', 'user.name=shop', '-c', 'user.email=shop@example.com'];
    return execFileSync('git', [...identity, ...args], { cwd: this.folder, encoding: 'utf8' }).trim();
  }
}
