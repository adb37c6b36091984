import { randomUUID } from 'node:crypto';
import {
  connectGitHub,
  type DeploymentOptions,
  type DeploymentRecord,
  findDeployment,
  type InputsOf,
  type Log,
  openDeployment,
  recordOf,
  runUrl,
} from '@perlstack/action';
import type { DeployResult } from '@perlstack/release';
import type { declaration } from './declaration.js';

type Inputs = InputsOf<typeof declaration>;

/** What main keeps for post: the mark of a deployment that is open, and the release that it speaks of. */
const OPEN = 'deployment';
const RELEASE = 'release';

/** What of a run its deployment is to say. */
interface Subject {
  readonly release: string;
  /** The commit of the release, in full, where it is known; else the run's own stands for it. */
  readonly commit?: string | undefined;
}

/** What the inputs say of a deployment on GitHub; undefined where none is asked for, or this is not GitHub. */
function optionsOf(
  inputs: Inputs,
  { release, commit }: Subject,
  mark: string,
  log: Log,
): DeploymentOptions | undefined {
  const { environment, 'github-token': token, 'environment-url': environmentUrl } = inputs;
  const runSha = process.env['GITHUB_SHA'];
  const url = runUrl();
  if (!environment || !token || !runSha || url === undefined) return undefined;
  return {
    github: connectGitHub(token),
    ...{ environment, sha: commit ?? runSha, runSha, runUrl: url, description: `release ${release}`, mark },
    ...(environmentUrl ? { environmentUrl } : {}),
    onWarning: (message) => log.warning(message),
  };
}

/** The deployment of a roll-out, made beside the work and never waited for before it. */
export class Deployment {
  readonly #inputs: Inputs;
  readonly #log: Log;
  readonly #save: (name: string, value: string) => void;
  #record: Promise<DeploymentRecord | undefined> = Promise.resolve(undefined);

  constructor(inputs: Inputs, log: Log, save: (name: string, value: string) => void) {
    this.#inputs = inputs;
    this.#log = log;
    this.#save = save;
  }

  /** Once it is known that something will change. */
  begin(subject: Subject): void {
    const mark = randomUUID();
    const options = optionsOf(this.#inputs, subject, mark, this.#log);
    if (options === undefined) return;
    this.#save(RELEASE, subject.release);
    this.#save(OPEN, mark);
    this.#record = openDeployment(options);
  }

  async end({ outcome }: Pick<DeployResult, 'outcome'>, sentence: string): Promise<void> {
    const record = await this.#record;
    if (record === undefined || outcome === 'nothing-to-do') return;
    await record.finish(outcome, sentence);
    this.#save(OPEN, '');
  }
}

/** The deployment that a main left open which was killed. */
export interface OpenDeployment {
  readonly release: string;
  /** Says how it ended. */
  close(outcome: 'succeeded' | 'cancelled' | 'failed', sentence: string): Promise<void>;
}

/** @returns undefined where main closed it itself, or made none */
export async function leftOpen(
  inputs: Inputs,
  log: Log,
  state: (name: string) => string | undefined,
): Promise<OpenDeployment | undefined> {
  const mark = state(OPEN);
  const release = state(RELEASE);
  if (mark === undefined || release === undefined) return undefined;
  const options = optionsOf(inputs, { release }, mark, log);
  const id = options ? await findDeployment(options) : null;
  if (!options || id === null) return undefined;
  return { release, close: (outcome, sentence) => recordOf(options, id).finish(outcome, sentence) };
}
