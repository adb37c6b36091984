import type { PullRequest, Repository, Tip } from './model.js';

/** What `github.event` holds of a pull request: the parts of the webhook's payload that workflows and actions read. */
export function pullRequestPayload(
  { fullName }: Repository,
  { number, base, head }: PullRequest,
  action: 'opened' | 'synchronize' | 'reopened' = 'synchronize',
): Record<string, unknown> {
  const repository = repositoryPart(fullName, false);
  const tip = ({ ref, sha, repository: name }: Tip): Record<string, unknown> => ({
    ...{ ref, sha, label: `${name.split('/')[0]}:${ref}` },
    repo: repositoryPart(name, name !== fullName),
  });
  return {
    ...{ action, number, repository },
    pull_request: {
      ...{ number, state: 'open', draft: false, merged: false },
      html_url: `https://github.com/${fullName}/pull/${number}`,
      ...{ base: tip(base), head: tip(head) },
    },
  };
}

function repositoryPart(fullName: string, fork: boolean): Record<string, unknown> {
  const [owner = '', name = ''] = fullName.split('/');
  return { name, full_name: fullName, fork, owner: { login: owner } };
}
