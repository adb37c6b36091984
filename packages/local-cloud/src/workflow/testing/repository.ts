import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { JobRun, StepRun, WorkflowRun } from '../results.js';
import { runWorkflow, type WorkflowOptions } from '../run.js';

/** A repository in a folder for temporary files, with whatever files a test needs. */
export class TestRepository {
  readonly folder = mkdtempSync(join(tmpdir(), 'perlstack-repository-'));
  readonly #root = mkdtempSync(join(tmpdir(), 'perlstack-runs-'));

  write(files: Readonly<Record<string, string>>): this {
    for (const [name, content] of Object.entries(files)) {
      const path = join(this.folder, name);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, content);
      if (content.startsWith('#!')) chmodSync(path, 0o755);
    }
    return this;
  }

  /** A JavaScript action with the given scripts. */
  action(name: string, yml: string, scripts: Readonly<Record<string, string>>): this {
    const files = Object.entries(scripts).map(([file, text]) => [`actions/${name}/${file}`, text]);
    return this.write({
      [`actions/${name}/action.yml`]: yml,
      ...(Object.fromEntries(files) as Record<string, string>),
    });
  }

  run(workflow: string, options: Partial<WorkflowOptions> = {}): Promise<WorkflowRun> {
    const file = join(this.folder, '.github/workflows/test.yml');
    this.write({ '.github/workflows/test.yml': workflow });
    return runWorkflow({
      file,
      repository: this.folder,
      event: 'push',
      workspaceRoot: this.#root,
      ...options,
    });
  }

  remove(): void {
    for (const folder of [this.folder, this.#root]) rmSync(folder, { recursive: true, force: true });
  }
}

/** A job of a run by its name. */
export function jobOf(run: WorkflowRun, name: string): JobRun {
  const job = run.jobs.find((one) => one.name === name);
  if (!job)
    throw new Error(`There is no job ${name}; there is ${run.jobs.map((one) => one.name).join(', ')}`);
  return job;
}

/** `main a: success` for each step of a job, in order. */
export function stepsOf(job: JobRun): string[] {
  return job.steps.map(({ phase, id, conclusion }) => `${phase} ${id}: ${conclusion}`);
}

export function stepOf(job: JobRun, id: string, phase: StepRun['phase'] = 'main'): StepRun {
  const step = job.steps.find((one) => one.id === id && one.phase === phase);
  if (!step) throw new Error(`There is no step ${phase} ${id}; there is ${stepsOf(job).join(', ')}`);
  return step;
}

/** A workflow of one job, `job`, with the given steps as YAML at the margin. */
export function oneJob(steps: string, more = ''): string {
  const indented = steps.replace(/^/gm, '      ');
  return `on: push\njobs:\n  job:\n    runs-on: ubuntu-latest\n${more.replace(/^(?=.)/gm, '    ')}\n    steps:\n${indented}\n`;
}
