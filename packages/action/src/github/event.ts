import { context } from '@actions/github';
import type { PullRequest } from './client.js';

interface Side {
  readonly sha: string;
  readonly ref: string;
  readonly repo: { readonly full_name: string } | null;
}

/** The pull request that started this run; `undefined` when something else did. */
export function pullRequest(): PullRequest | undefined {
  const pull = context.payload.pull_request as { number: number; base?: Side; head?: Side } | undefined;
  if (!pull?.base || !pull.head) return undefined;
  const { number, base, head } = pull;
  const fork = head.repo?.full_name !== base.repo?.full_name;
  return { number, base: { sha: base.sha, ref: base.ref }, head: { sha: head.sha }, fork };
}
