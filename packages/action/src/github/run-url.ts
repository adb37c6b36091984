/** The page of this run; `undefined` outside GitHub. */
export function runUrl(env: NodeJS.ProcessEnv = process.env): string | undefined {
  const { GITHUB_SERVER_URL: server, GITHUB_REPOSITORY: repository, GITHUB_RUN_ID: id } = env;
  return repository && id ? `${server ?? 'https://github.com'}/${repository}/actions/runs/${id}` : undefined;
}
