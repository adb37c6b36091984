/** Thrown by handlers; becomes GitHub's answer of that status. */
export class GitHubError extends Error {
  override readonly name = 'GitHubError';
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** What the body has besides message, documentation and status. */
  readonly details: Readonly<Record<string, unknown>>;

  constructor(
    status: number,
    message: string,
    {
      headers = {},
      details = {},
    }: { headers?: Readonly<Record<string, string>>; details?: Readonly<Record<string, unknown>> } = {},
  ) {
    super(message);
    this.status = status;
    this.headers = headers;
    this.details = details;
  }
}

export const notFound = (): GitHubError => new GitHubError(404, 'Not Found');

/** The token is of no use. */
export const badCredentials = (): GitHubError => new GitHubError(401, 'Bad credentials');

/** What a job's token says where a permission is missing. */
export const inaccessible = (needed: string): GitHubError =>
  new GitHubError(403, 'Resource not accessible by integration', {
    headers: { 'x-accepted-github-permissions': needed },
  });

export const invalid = (resource: string, field: string, message: string): GitHubError =>
  new GitHubError(422, 'Validation Failed', {
    details: { errors: [{ resource, code: 'unprocessable', field, message }] },
  });
