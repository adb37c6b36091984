import type { Owner } from '@perlstack/release';

/** Who holds the lock: the same for all attempts and steps of one workflow run, so that a rerun takes up its own lock. */
export function ownerFrom(env: NodeJS.ProcessEnv): Owner {
  const { GITHUB_REPOSITORY, GITHUB_RUN_ID, GITHUB_SERVER_URL } = env;
  const actor = env['GITHUB_TRIGGERING_ACTOR'] ?? env['GITHUB_ACTOR'] ?? env['USER'];
  const [workflow] = env['GITHUB_WORKFLOW_REF']?.split('@') ?? [];
  const number = Number(env['GITHUB_RUN_NUMBER']);
  const commit = env['GITHUB_SHA'];
  const onGitHub = GITHUB_REPOSITORY && GITHUB_RUN_ID;
  if (!onGitHub) return { id: `${env['USER'] ?? 'somebody'}/${process.pid}`, ...(actor ? { actor } : {}) };
  return {
    ...(actor ? { actor } : {}),
    ...(workflow && number > 0 ? { workflow, number } : {}),
    ...(commit ? { commit } : {}),
    id: `${GITHUB_REPOSITORY}/${GITHUB_RUN_ID}`,
    url: `${GITHUB_SERVER_URL ?? 'https://github.com'}/${GITHUB_REPOSITORY}/actions/runs/${GITHUB_RUN_ID}`,
  };
}
