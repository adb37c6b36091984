import { UserError } from '@perlstack/stack';

/** One reason of an error answer; `field` names the part of the request that it is about. */
export interface Reason {
  readonly field?: string;
  readonly reason: string;
}

export interface ApiFault {
  readonly status: number;
  readonly method: string;
  /** Without version, query and host: `/linode/instances/123`. */
  readonly path: string;
  readonly reasons: readonly Reason[];
  /** Scopes that the endpoint needs and that the token has, where the answer names them. */
  readonly needs?: string;
  readonly has?: string;
  /** Whether a `Retry-After` came with it, in milliseconds. */
  readonly retryAfterMs?: number;
}

/**
 * Linode refused a request. It holds nothing of the request but method and path, so that it can be printed in any way.
 * Its message is one line with what to do.
 */
export class LinodeApiError extends UserError {
  override readonly name: string = 'LinodeApiError';
  readonly status: number;
  readonly method: string;
  readonly path: string;
  readonly reasons: readonly Reason[];
  readonly retryAfterMs: number | null;
  /** The scope that the token lacks, where that is the cause: `events:read_only`. */
  readonly missingScope: string | null;

  constructor(fault: ApiFault) {
    super(explain(fault));
    this.status = fault.status;
    this.method = fault.method;
    this.path = fault.path;
    this.reasons = fault.reasons;
    this.retryAfterMs = fault.retryAfterMs ?? null;
    this.missingScope = missingScope(fault);
  }

  /** Another operation on the same Linode is under way; the same request will be accepted later. */
  get busy(): boolean {
    return this.status === 400 && this.reasons.some(({ reason }) => reason === 'Linode busy.');
  }
}

/** No answer came from the API, and the request had no effect (it never arrived, or it only reads). */
export class LinodeUnreachable extends UserError {
  override readonly name: string = 'LinodeUnreachable';
  readonly method: string;
  readonly path: string;
  /** Such as `ECONNREFUSED`. */
  readonly code: string;

  constructor(method: string, path: string, code: string, host: string) {
    super(
      `No answer from Linode's API at ${host} (${code}, ${method} ${path}): check the network of this machine, and LINODE_API_URL if it is set, then run again`,
    );
    this.method = method;
    this.path = path;
    this.code = code;
  }
}

/**
 * A request that makes something was sent, and its answer was lost: it may or may not have taken effect. Whoever gets
 * this looks for the thing by its label before asking again.
 */
export class UncertainOutcome extends UserError {
  override readonly name: string = 'UncertainOutcome';
  readonly method: string;
  readonly path: string;
  /** Why: `ECONNRESET`, `ECONNABORTED` (time limit), `HTTP 502`. */
  readonly why: string;

  constructor(method: string, path: string, why: string) {
    super(
      `The answer to ${method} ${path} was lost (${why}): it may have taken effect. Run again: what was made is found by its label and not made twice`,
    );
    this.method = method;
    this.path = path;
    this.why = why;
  }
}

/** An operation that Linode accepted ended badly, or did not end in time. */
export class EventFailed extends UserError {
  override readonly name: string = 'EventFailed';
}

const NEW_TOKEN =
  'make a token under Profile > API Tokens in the Cloud Manager and put it into the secret that the workflow passes';

function explain(fault: ApiFault): string {
  const { status, method, path } = fault;
  const said = fault.reasons.map(({ field, reason }) => (field ? `${field}: ${reason}` : reason)).join('; ');
  const call = `${method} ${path}`;
  switch (status) {
    case 401:
      return explainToken(fault, said);
    case 403:
      return `Linode forbids ${call} (403): ${said}${/^unauthorized/i.test(said) ? '. The user of the token has no grant for it: ask an administrator of the account' : ''}`;
    case 404:
      return `Linode knows no ${path} (404, ${call}), or the token's user may not see it`;
    case 429:
      return `Linode's rate limit for ${call} is used up (429) and stayed so: wait some minutes, then run again; other jobs with the same token count too`;
    default:
      return status >= 500
        ? `Linode's API is in trouble: ${call} answered ${status} again and again (${said}). Look at status.linode.com, then run again`
        : `Linode refused ${call} (${status}): ${said}`;
  }
}

function explainToken(fault: ApiFault, said: string): string {
  const call = `${fault.method} ${fault.path}`;
  const scope = missingScope(fault);
  return scope
    ? `The Linode token lacks the scope ${scope}, which ${call} needs (it has: ${fault.has}): ${NEW_TOKEN}`
    : `Linode does not accept the token (401, ${call}: ${said}); it is wrong, expired or revoked: ${NEW_TOKEN}`;
}

function missingScope({ status, needs, has }: ApiFault): string | null {
  if (status !== 401 || !needs || !has || has === 'unknown') return null;
  return (
    needs
      .split(/[\s,]+/)
      .filter((scope) => scope !== '' && !grants(has, scope))
      .join(', ') || null
  );
}

/** Whether the scopes of a token (`linodes:read_write events:read_only`, or `*`) include one. */
export function grants(has: string, scope: string): boolean {
  const [subject, level] = scope.split(':');
  const scopes = has.split(/[\s,]+/);
  return scopes.some(
    (one) =>
      one === '*' ||
      one === scope ||
      one === `${subject}:*` ||
      (level === 'read_only' && one === `${subject}:read_write`),
  );
}
