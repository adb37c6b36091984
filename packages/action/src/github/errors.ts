import { messageOf, UserError } from '@perlstack/stack';

/** What was asked of GitHub: `comment`, and what the job's `permissions:` must have for it. */
export interface Wanted {
  readonly what: string;
  readonly permission: string;
}

/** The token may not do what was asked of it. */
export class MissingPermission extends UserError {
  override readonly name = 'MissingPermission';
}

/** What an error of GitHub's client has that is safe to look at: never its request, which holds the token. */
interface Failure {
  readonly status?: number;
  readonly response?: { readonly headers?: Readonly<Record<string, string | number | undefined>> };
}

/** The status of GitHub's answer; none where there was no answer (the client calls that 500). */
export function statusOf(error: unknown): number | undefined {
  const { status, response } = error as Failure;
  return response === undefined ? undefined : status;
}

function headerOf(error: unknown, name: string): string | undefined {
  const value = (error as Failure).response?.headers?.[name];
  return value === undefined ? undefined : String(value);
}

/** True for what the next try may not meet again: GitHub stumbled, or did not answer at all. */
export function isTemporary(error: unknown): boolean {
  return ((error as Failure).status ?? 0) >= 500;
}

/** An error of GitHub's client built anew: with what to do, and without the request. */
export function explain(error: unknown, { what, permission }: Wanted): Error {
  if (error instanceof UserError) return error;
  const said = saidBy(error);
  const status = statusOf(error);
  const answer = `GitHub did not let this run ${what} (${status ?? 'no answer'}: ${said})`;
  const limited = limitOf(error);
  if (limited !== undefined) return new UserError(`${answer}: ${limited}`);
  switch (status) {
    case 401:
      return new UserError(`${answer}: hand over \${{ github.token }} as the input "github-token"`);
    case 403:
      return new MissingPermission(`${answer}: add "${permission}" to the permissions of the job`);
    case 404:
      return new UserError(
        `${answer}: the token does not see it; hand over one of this repository, with "${permission}" among the permissions of the job`,
      );
    default:
      return new UserError(`${answer}: run the job again`);
  }
}

/** Its own words: a page of HTML, as of a proxy in front of it, says nothing. */
function saidBy(error: unknown): string {
  const [line = ''] = messageOf(error)
    .replace(/ - https:\/\/docs\.github\.com\S*$/, '')
    .split('\n');
  return line === '' || line.startsWith('<') ? 'no reason given' : line.slice(0, 300);
}

/** What to do where GitHub only wants to be asked later. */
function limitOf(error: unknown): string | undefined {
  const status = statusOf(error);
  if (status !== 403 && status !== 429) return undefined;
  const seconds = headerOf(error, 'retry-after');
  if (seconds !== undefined) return `run the job again after ${seconds} s`;
  if (headerOf(error, 'x-ratelimit-remaining') !== '0') return undefined;
  const reset = new Date(Number(headerOf(error, 'x-ratelimit-reset')) * 1_000);
  return `run the job again after ${Number.isNaN(reset.getTime()) ? 'an hour' : reset.toISOString()}`;
}
