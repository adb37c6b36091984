import { invalid, notFound } from './errors.js';
import { type Comment, timestamp } from './model.js';
import { page } from './paging.js';
import type { Call, Route } from './router.js';
import { nodeId, userView } from './views.js';

/** GitHub stores no longer text, counted in characters. */
const LONGEST_BODY = 65_536;

const COMMENTS = '/repos/{owner}/{repo}/issues/{issue_number}/comments';
/** A pull request is an issue too: rights to either will do. */
const READS = [
  ['issues', 'read'],
  ['pull-requests', 'read'],
] as const;
const WRITES = [
  ['issues', 'write'],
  ['pull-requests', 'write'],
] as const;

/** Comments of issues and pull requests. */
export const commentRoutes: readonly Route[] = [
  {
    operation: `GET ${COMMENTS}`,
    permissions: READS,
    handle: (call) => {
      const issue = issueOf(call);
      const { items, headers } = page(
        call,
        call.repository.comments.filter((one) => one.issue === issue),
        `issues/${issue}/comments`,
      );
      return { status: 200, headers, body: items.map((comment) => commentView(call, comment)) };
    },
  },
  {
    operation: `POST ${COMMENTS}`,
    permissions: WRITES,
    handle: (call) => {
      const comment = call.repository.comment(issueOf(call), call.token.account, bodyOf(call));
      const body = commentView(call, comment);
      return { status: 201, body, headers: { location: String(body['url']) } };
    },
  },
  {
    operation: 'PATCH /repos/{owner}/{repo}/issues/comments/{comment_id}',
    permissions: WRITES,
    handle: (call) => {
      const comment = call.repository.comments.find(({ id }) => String(id) === call.params['comment_id']);
      if (!comment) throw notFound();
      comment.body = bodyOf(call);
      comment.updatedAt = timestamp();
      return { status: 200, body: commentView(call, comment) };
    },
  },
];

function issueOf({ repository, params }: Call): number {
  const issue = Number(params['issue_number']);
  if (!repository.pulls.has(issue)) throw notFound();
  return issue;
}

function bodyOf({ body: { body } }: Call): string {
  if (typeof body !== 'string' || body.trim() === '')
    throw invalid('IssueComment', 'body', "body can't be blank");
  if ([...body].length > LONGEST_BODY)
    throw invalid('IssueComment', 'body', `body is too long (maximum is ${LONGEST_BODY} characters)`);
  return body;
}

function commentView({ base, repository }: Call, comment: Comment): Record<string, unknown> {
  const { id, issue, author, body, createdAt, updatedAt } = comment;
  return {
    ...{ id, body, node_id: nodeId('IssueComment', id), user: userView(base, author) },
    url: `${base}/repos/${repository.fullName}/issues/comments/${id}`,
    html_url: `https://github.com/${repository.fullName}/pull/${issue}#issuecomment-${id}`,
    issue_url: `${base}/repos/${repository.fullName}/issues/${issue}`,
    ...{ created_at: createdAt, updated_at: updatedAt },
    author_association: author.type === 'Bot' ? 'NONE' : 'CONTRIBUTOR',
    performed_via_github_app: null,
  };
}
