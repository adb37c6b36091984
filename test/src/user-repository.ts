import { execFileSync } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  type CancelGrace,
  type OutputLine,
  type Permissions,
  runWorkflow,
  type WorkflowRun,
} from '@perlstack/local-cloud';
import { type ShopOptions, stageRelease } from './shop.js';

/** The folder of this project. */
export const PROJECT = fileURLToPath(new URL('../..', import.meta.url));

/** What starts a run, where it is nobody's hand. */
export interface Trigger {
  /** `schedule`, `pull_request` */
  readonly event: string;
  readonly payload?: Readonly<Record<string, unknown>>;
}

/** A simulated GitHub, as the processes of a run reach it. */
export interface GitHubAround {
  readonly apiUrl: string;
  readonly jobToken: (permissions: Permissions) => string;
}

/** Who runs the workflows, and against which cloud. */
export interface Surroundings {
  readonly apiUrl: string;
  readonly secrets: Readonly<Record<string, string>>;
  /** Variables of the repository. */
  readonly vars?: Readonly<Record<string, string>>;
  /** Words before the argv of every process, to start it inside the internet of a cloud. */
  readonly processPrefix?: readonly string[];
  readonly onOutput?: (line: OutputLine) => void;
  readonly signal?: AbortSignal;
  /** Shorter times than GitHub's between the signals of a cancel. */
  readonly cancelGrace?: CancelGrace;
  /** Default: a dispatch. */
  readonly trigger?: Trigger;
  readonly github?: GitHubAround;
}

/** A branch that is proposed for main. */
export interface Proposal {
  readonly base: string;
  readonly head: string;
}

/** The repository's name at GitHub. */
export const REPOSITORY = 'acme/shop';

/** A repository as a user of the actions has it: the application, perlstack.yml, and the example workflows. */
export class UserRepository {
  readonly folder: string;

  private constructor(folder: string) {
    this.folder = folder;
  }

  static async create(): Promise<UserRepository> {
    const repository = new UserRepository(await mkdtemp(path.join(tmpdir(), 'perlstack-shop-')));
    repository.#git('init', '--quiet', '--initial-branch=main');
    return repository;
  }

  /**
   * Commits a version of the shop.
   *
   * @param stackFile text of perlstack.yml; that of the sample application if absent
   * @returns the id of the release that a deploy of this commit makes
   */
  async commit(options: ShopOptions, stackFile?: string): Promise<string> {
    await rm(path.join(this.folder, 'public'), { recursive: true, force: true });
    await stageRelease(this.folder, options);
    const text = stackFile ?? (await readFile(path.join(PROJECT, 'test/apps/perlstack.yml'), 'utf8'));
    await writeFile(path.join(this.folder, 'perlstack.yml'), text);
    await mkdir(path.join(this.folder, '.github'), { recursive: true });
    await cp(path.join(PROJECT, 'workflows-examples'), path.join(this.folder, '.github/workflows'), {
      recursive: true,
    });
    this.#git('add', '--all');
    this.#git('commit', '--quiet', '--message', `Version ${options.release}`);
    return this.#git('rev-parse', 'HEAD').slice(0, 12);
  }

  /** Commits another stack file on a branch of its own, which stays checked out until `returnToMain`. */
  async propose(branch: string, stackFile: string): Promise<Proposal> {
    const base = this.#git('rev-parse', 'HEAD');
    this.#git('switch', '--quiet', '--create', branch);
    await writeFile(path.join(this.folder, 'perlstack.yml'), stackFile);
    this.#git('commit', '--quiet', '--all', '--message', branch);
    return { base, head: this.#git('rev-parse', 'HEAD') };
  }

  returnToMain(): void {
    this.#git('switch', '--quiet', 'main');
  }

  /** Runs one of the repository's workflows with the bundled actions of this project. */
  run(workflow: string, around: Surroundings, inputs: Record<string, string> = {}): Promise<WorkflowRun> {
    const {
      apiUrl,
      secrets,
      vars = {},
      processPrefix,
      onOutput,
      signal,
      cancelGrace,
      trigger,
      github,
    } = around;
    return runWorkflow({
      file: path.join(this.folder, '.github/workflows', workflow),
      repository: this.folder,
      ...(trigger ?? { event: 'workflow_dispatch' }),
      inputs,
      secrets,
      vars,
      github: { repository: REPOSITORY },
      env: { LINODE_API_URL: apiUrl, ...(github ? { GITHUB_API_URL: github.apiUrl } : {}) },
      ...(github ? { jobToken: github.jobToken } : {}),
      workspaceRoot: path.join(this.folder, '.git', 'perlstack-runs'),
      actions: { 'your-org/perlstack/actions/': path.join(PROJECT, 'actions') },
      ...(processPrefix ? { processPrefix } : {}),
      ...(onOutput ? { onOutput } : {}),
      ...(signal ? { signal } : {}),
      ...(cancelGrace ? { cancelGrace } : {}),
    });
  }

  async remove(): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
  }

  #git(...args: string[]): string {
    const identity = [
      '-c',
      'user.name=shop',
      '-c',
      'user.email=shop@example.com',
      '-c',
      'commit.gpgsign=false',
    ];
    return execFileSync('git', [...identity, ...args], { cwd: this.folder, encoding: 'utf8' }).trim();
  }
}

/** The outputs of a step of a run, by the step's id. */
export function outputsOf(run: WorkflowRun, step: string): Readonly<Record<string, string>> {
  const found = run.jobs.flatMap((job) => job.steps).find(({ id, phase }) => id === step && phase === 'main');
  return found?.outputs ?? {};
}
