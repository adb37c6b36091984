import { execFileSync } from 'node:child_process';
import { GitHubError, invalid, notFound } from './errors.js';
import { type Deployment, DEPLOYMENT_STATES, type DeploymentStatus } from './model.js';
import { page } from './paging.js';
import type { Call, Route } from './router.js';
import { nodeId, userView } from './views.js';

const DEPLOYMENTS = '/repos/{owner}/{repo}/deployments';
const STATUSES = `${DEPLOYMENTS}/{deployment_id}/statuses` as const;
const READS = [['deployments', 'read']] as const;
const WRITES = [['deployments', 'write']] as const;
/** Of a description, in characters. */
const LONGEST_DESCRIPTION = 140;

/** Deployments and their states. */
export const deploymentRoutes: readonly Route[] = [
  {
    operation: `GET ${DEPLOYMENTS}`,
    permissions: READS,
    handle: (call) => {
      const asked = ['sha', 'ref', 'task', 'environment'] as const;
      const fits = (one: Deployment): boolean =>
        asked.every((field) => (call.query.get(field) ?? one[field]) === one[field]);
      const all = call.repository.deployments.filter(fits).reverse();
      const { items, headers } = page(call, all, 'deployments');
      return { status: 200, headers, body: items.map((one) => deploymentView(call, one)) };
    },
  },
  {
    operation: `POST ${DEPLOYMENTS}`,
    permissions: WRITES,
    handle: (call) => {
      const { body, repository, token } = call;
      const ref = text(body['ref'], '');
      if (ref === '') throw invalid('Deployment', 'ref', "ref can't be blank");
      const environment = text(body['environment'], 'production');
      const sha = shaOf(repository.folder, ref);
      refuseUnchecked(body);
      const made = repository.deploy({
        ...{ sha, ref, environment, creator: token.account },
        task: text(body['task'], 'deploy'),
        description: descriptionOf('Deployment', body['description']),
        payload: body['payload'] ?? {},
        transient: body['transient_environment'] === true,
        production: (body['production_environment'] as boolean | undefined) ?? environment === 'production',
      });
      return { status: 201, body: deploymentView(call, made) };
    },
  },
  {
    operation: `GET ${STATUSES}`,
    permissions: READS,
    handle: (call) => {
      const deployment = deploymentOf(call);
      const all = [...deployment.statuses].reverse();
      const { items, headers } = page(call, all, `deployments/${deployment.id}/statuses`);
      return { status: 200, headers, body: items.map((one) => statusView(call, deployment, one)) };
    },
  },
  {
    operation: `POST ${STATUSES}`,
    permissions: WRITES,
    handle: (call) => {
      const { body, repository, token } = call;
      const deployment = deploymentOf(call);
      const state = DEPLOYMENT_STATES.find((one) => one === body['state']);
      if (!state) throw invalid('DeploymentStatus', 'state', 'state is not included in the list');
      const status = {
        ...{ state, creator: token.account },
        description: descriptionOf('DeploymentStatus', body['description']) ?? '',
        environmentUrl: text(body['environment_url'], ''),
        logUrl: text(body['log_url'], text(body['target_url'], '')),
      };
      const made = repository.setStatus(deployment, status, body['auto_inactive'] !== false);
      return { status: 201, body: statusView(call, deployment, made) };
    },
  },
];

const text = (value: unknown, otherwise: string): string =>
  typeof value === 'string' && value !== '' ? value : otherwise;

function descriptionOf(resource: string, value: unknown): string | null {
  const description = text(value, '');
  if ([...description].length > LONGEST_DESCRIPTION)
    throw invalid(
      resource,
      'description',
      `description is too long (maximum is ${LONGEST_DESCRIPTION} characters)`,
    );
  return description === '' ? null : description;
}

function deploymentOf({ repository, params }: Call): Deployment {
  const found = repository.deployments.find(({ id }) => String(id) === params['deployment_id']);
  if (!found) throw notFound();
  return found;
}

/** @throws GitHubError 422 for a ref that the repository does not have */
function shaOf(folder: string, ref: string): string {
  try {
    const argv = ['rev-parse', '--verify', '--quiet', '--end-of-options', `${ref}^{commit}`];
    return execFileSync('git', argv, { cwd: folder, encoding: 'utf8', stdio: 'pipe' }).trim();
  } catch {
    throw new GitHubError(422, `No ref found for: ${ref}`);
  }
}

/** While a workflow deploys, the check of its own job is pending: whoever leaves the contexts to GitHub is refused. */
function refuseUnchecked(body: Call['body']): void {
  const contexts = body['required_contexts'];
  if (Array.isArray(contexts) && contexts.length === 0) return;
  throw new GitHubError(409, 'Conflict: Commit status checks failed for this commit.', {
    details: { errors: [{ resource: 'Deployment', field: 'required_contexts', code: 'invalid' }] },
  });
}

function deploymentView({ base, repository }: Call, one: Deployment): Record<string, unknown> {
  const url = `${base}/repos/${repository.fullName}/deployments/${one.id}`;
  return {
    ...{ url, id: one.id, node_id: nodeId('Deployment', one.id), statuses_url: `${url}/statuses` },
    ...{ sha: one.sha, ref: one.ref, task: one.task, payload: one.payload, description: one.description },
    ...{ environment: one.environment, original_environment: one.environment },
    ...{ transient_environment: one.transient, production_environment: one.production },
    creator: userView(base, one.creator),
    ...{ created_at: one.createdAt, updated_at: one.statuses.at(-1)?.createdAt ?? one.createdAt },
    repository_url: `${base}/repos/${repository.fullName}`,
    performed_via_github_app: null,
  };
}

function statusView(
  { base, repository }: Call,
  of: Deployment,
  one: DeploymentStatus,
): Record<string, unknown> {
  const deployment = `${base}/repos/${repository.fullName}/deployments/${of.id}`;
  return {
    url: `${deployment}/statuses/${one.id}`,
    ...{ id: one.id, node_id: nodeId('DeploymentStatus', one.id), state: one.state },
    creator: userView(base, one.creator),
    ...{ description: one.description, environment: of.environment, environment_url: one.environmentUrl },
    ...{ target_url: one.logUrl, log_url: one.logUrl, created_at: one.createdAt, updated_at: one.createdAt },
    deployment_url: deployment,
    repository_url: `${base}/repos/${repository.fullName}`,
    performed_via_github_app: null,
  };
}
