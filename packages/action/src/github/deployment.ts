import { messageOf } from '@perlstack/stack';
import type { DeploymentState, GitHub } from './client.js';

/** What came of a deploy, in the words of its actions. */
export type DeployOutcome = 'succeeded' | 'rolled-back' | 'cancelled' | 'failed';

export interface DeploymentOptions {
  readonly github: GitHub;
  readonly environment: string;
  /** The commit that is deployed, in full. */
  readonly sha: string;
  /** The run's own commit, for which GitHub makes a deployment where the job has an environment; another one in a rollback. */
  readonly runSha: string;
  /** Page of the run; a deployment that GitHub made for one of its jobs is recognised by leading below it. */
  readonly runUrl: string;
  readonly description: string;
  /** Known before the deployment is made: whoever does not hear the answer finds it by this. */
  readonly mark: string;
  /** Where the environment is visited. */
  readonly environmentUrl?: string;
  readonly onWarning: (message: string) => void;
}

/** A deployment as GitHub shows it. Nothing here ever fails or holds up a deploy: what can't be told is a warning. */
export interface DeploymentRecord {
  /** Its id; null where none was made. */
  readonly id: number | null;
  /** Tells how it ended. */
  finish(outcome: DeployOutcome, description: string): Promise<void>;
}

/** GitHub takes no longer description. */
const LONGEST = 140;

/**
 * Makes a deployment for what is about to change, and says that it is under way. Where the job has an `environment:`, GitHub has
 * made one of its own for the run and its commit, and sets it to success or failure when the job ends; a second one would
 * say everything twice, so none is made.
 */
export async function openDeployment(options: DeploymentOptions): Promise<DeploymentRecord> {
  const { github, environment, sha, description, mark } = options;
  try {
    if (await hasOwn(options)) return NONE;
    const id = await github.createDeployment({ sha, environment, description: short(description), mark });
    await tell(options, id, 'in_progress', description);
    return recordOf(options, id);
  } catch (error) {
    options.onWarning(`No deployment is shown on GitHub: ${messageOf(error)}`);
    return NONE;
  }
}

/** The record of a deployment that an earlier process made: for post, after main was killed. */
export const recordOf = (options: DeploymentOptions, id: number): DeploymentRecord => ({
  id,
  finish: async (outcome, description) => {
    try {
      await tell(options, id, STATES[outcome], description);
      if (outcome === 'succeeded') await retireOthers(options, id);
    } catch (error) {
      options.onWarning(`The deployment on GitHub is not up to date: ${messageOf(error)}`);
    }
  },
});

/** The id of the deployment with a mark; `null` where there is none. */
export async function findDeployment({
  github,
  environment,
  mark,
  onWarning,
}: DeploymentOptions): Promise<number | null> {
  try {
    return (await github.deployments(environment)).find((one) => one.mark === mark)?.id ?? null;
  } catch (error) {
    onWarning(`Whether a deployment on GitHub was left open is not known: ${messageOf(error)}`);
    return null;
  }
}

const NONE: DeploymentRecord = { id: null, finish: () => Promise.resolve() };

/** GitHub has no state for a cancel; `error` is that of what ended without a result. */
const STATES: Readonly<Record<DeployOutcome, DeploymentState>> = {
  succeeded: 'success',
  'rolled-back': 'failure',
  failed: 'failure',
  cancelled: 'error',
};

async function tell(
  { github, runUrl, environmentUrl }: DeploymentOptions,
  id: number,
  state: DeploymentState,
  description: string,
): Promise<void> {
  await github.createDeploymentStatus(id, {
    ...{ state, description: short(description), logUrl: runUrl },
    ...(environmentUrl === undefined ? {} : { environmentUrl }),
  });
}

/**
 * Whether one of the deployments of this commit speaks of a job of this run: then GitHub made it for that job. What leads to the
 * run itself is ours, of an attempt or a step before this one, and says nothing of what is done now.
 */
async function hasOwn({ github, environment, runSha, runUrl }: DeploymentOptions): Promise<boolean> {
  for (const { id } of await github.deployments(environment, runSha)) {
    const statuses = await github.deploymentStatuses(id);
    if (statuses.some(({ page }) => page.startsWith(`${runUrl}/`))) return true;
  }
  return false;
}

/** GitHub does this by itself but for production environments: the deployments that this one replaced serve nobody. */
async function retireOthers({ github, environment, runUrl }: DeploymentOptions, id: number): Promise<void> {
  for (const { id: other } of await github.deployments(environment)) {
    if (other === id) continue;
    const [latest] = await github.deploymentStatuses(other);
    if (latest?.state !== 'success') continue;
    const description = 'replaced by a later deployment';
    await github.createDeploymentStatus(other, {
      state: 'inactive',
      description,
      logUrl: latest.page || runUrl,
    });
  }
}

const short = (text: string): string => (text.length > LONGEST ? `${text.slice(0, LONGEST - 1)}…` : text);
