import {
  connectGitHub,
  type DeploymentOptions,
  type DeploymentRecord,
  type InputsOf,
  type Log,
  openDeployment,
  recordOf,
  runUrl,
} from '@perlstack/action';
import type { DeployResult } from '@perlstack/release';
import type { declaration } from './declaration.js';

type Inputs = InputsOf<typeof declaration>;

/** What main keeps for post: the id of a deployment that is open. */
const OPEN = 'deployment';

/** What the inputs say of a deployment on GitHub; undefined where none is asked for, or this is not GitHub. */
function optionsOf(inputs: Inputs, description: string, log: Log): DeploymentOptions | undefined {
  const { environment, 'github-token': token, 'environment-url': environmentUrl } = inputs;
  const sha = process.env['GITHUB_SHA'];
  const url = runUrl();
  if (!environment || !token || !sha || url === undefined) return undefined;
  return {
    github: connectGitHub(token),
    ...{ environment, sha, runUrl: url, description },
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
  begin(release: string): void {
    const options = optionsOf(this.#inputs, `release ${release}`, this.#log);
    if (options === undefined) return;
    this.#record = openDeployment(options).then((record) => {
      if (record.id !== null) this.#save(OPEN, String(record.id));
      return record;
    });
  }

  async end({ outcome }: Pick<DeployResult, 'outcome'>, sentence: string): Promise<void> {
    const record = await this.#record;
    if (record === undefined || outcome === 'nothing-to-do') return;
    await record.finish(outcome, sentence);
    this.#save(OPEN, '');
  }
}

/** Closes the deployment of a main that was killed. */
export async function closeDeployment(
  inputs: Inputs,
  log: Log,
  state: (name: string) => string | undefined,
): Promise<void> {
  const id = Number(state(OPEN) ?? '');
  const options = optionsOf(inputs, '', log);
  if (!id || options === undefined) return;
  await recordOf(options, id).finish('cancelled', 'the run was killed; what it had begun was put back');
}
