import { nearest, UserError } from '@perlstack/stack';
import { isMap, type Tree } from '../workflow/tree.js';

/** What a job's token may do; `id-token` has no `read`. */
export type Access = 'none' | 'read' | 'write';

export const SCOPES = [
  'actions',
  'artifact-metadata',
  'attestations',
  'checks',
  'contents',
  'deployments',
  'discussions',
  'id-token',
  'issues',
  'models',
  'packages',
  'pages',
  'pull-requests',
  'repository-projects',
  'security-events',
  'statuses',
] as const;
export type Scope = (typeof SCOPES)[number];

/** Scopes that are not listed are `none`. */
export type Permissions = Readonly<Partial<Record<Scope, Access>>>;

const RANK: Readonly<Record<Access, number>> = { none: 0, read: 1, write: 2 };

/** Whether a token has as much as is needed. */
export function allows(permissions: Permissions, scope: Scope, needed: Access): boolean {
  return RANK[permissions[scope] ?? 'none'] >= RANK[needed];
}

/** What a new repository gives where a workflow says nothing. */
const DEFAULT: Permissions = { contents: 'read', packages: 'read' };

/**
 * What the token of a job may do: as its `permissions:` say, or the workflow's, or else the default of a new
 * repository. What they list is all there is.
 *
 * @param fork a pull request from a fork: nothing is written, whatever the file says
 * @param limit what the job that calls this one's workflow may do; the default there, and the most
 */
export function permissionsOf(
  workflow: Tree | undefined,
  job: Tree | undefined,
  fork: boolean,
  limit?: Permissions,
): Permissions {
  const granted = read(job) ?? read(workflow) ?? limit ?? DEFAULT;
  const entries = SCOPES.map((scope): [Scope, Access] => {
    const most = lower(limit ? (limit[scope] ?? 'none') : 'write', fork ? 'read' : 'write');
    return [scope, lower(granted[scope] ?? 'none', most)];
  });
  return Object.fromEntries(entries.filter(([, access]) => access !== 'none'));
}

const lower = (a: Access, b: Access): Access => (RANK[a] < RANK[b] ? a : b);

function read(given: Tree | undefined): Permissions | undefined {
  if (given === undefined || given === null) return undefined;
  if (given === 'read-all' || given === 'write-all') {
    const access = given === 'read-all' ? 'read' : 'write';
    return Object.fromEntries(SCOPES.map((scope) => [scope, access]));
  }
  if (!isMap(given)) throw new UserError('permissions: allowed: read-all, write-all, or scopes');
  return Object.fromEntries(Object.entries(given).map(([scope, access]) => [known(scope), access]));
}

function known(scope: string): Scope {
  const found = SCOPES.find((one) => one === scope);
  if (found) return found;
  throw new UserError(
    `permissions.${scope}: unknown; did you mean "${nearest(scope, SCOPES)[0] ?? SCOPES[0]}"?`,
  );
}
