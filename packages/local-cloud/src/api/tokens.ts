import { ApiError, entry } from './errors.js';

/** A personal access token of the simulated account. */
export interface Token {
  readonly token: string;
  /** `*`, or scopes such as `linodes:read_write`, `events:read_only`. */
  readonly scopes: readonly string[];
}

/** The token that the server takes when none are configured. */
export const FULL_TOKEN: Token = { token: 'local-cloud-full-access', scopes: ['*'] };

/** The token of an `Authorization` header; a 401 when there is none or it is not known. */
export function authenticate(header: string | undefined, tokens: readonly Token[]): Token {
  const given = /^Bearer\s+(\S+)$/i.exec(header ?? '')?.[1];
  const found = tokens.find((token) => token.token === given);
  if (found === undefined) throw new ApiError(401, [entry('Invalid Token')]);
  return found;
}

/** A 401, not a 403, when the token has not all scopes that the route asks for. */
export function authorize(token: Token, accepted: string): void {
  if (accepted === '*' || token.scopes.includes('*')) return;
  if (accepted.split(',').every((scope) => grants(token.scopes, scope))) return;
  throw new ApiError(401, [entry('Your OAuth token is not authorized to use this endpoint.')]);
}

function grants(scopes: readonly string[], needed: string): boolean {
  const writing = needed.replace(':read_only', ':read_write');
  return scopes.includes(needed) || scopes.includes(writing);
}
