import { execFileSync } from 'node:child_process';
import { GitHubError, notFound } from './errors.js';
import type { Repository } from './model.js';
import type { Call, Route } from './router.js';
import { nodeId } from './views.js';

/** A file of a commit, and the commit itself: read from the repository's own history. */
export const contentsRoutes: readonly Route[] = [
  {
    operation: 'GET /repos/{owner}/{repo}/contents/{path}',
    permissions: [['contents', 'read']],
    handle: (call) => ({ status: 200, body: contentView(call) }),
  },
  {
    operation: 'GET /repos/{owner}/{repo}/git/commits/{commit_sha}',
    permissions: [['contents', 'read']],
    handle: (call) => ({ status: 200, body: commitView(call) }),
  },
];

function git({ folder }: Repository, ...args: string[]): Buffer {
  return execFileSync('git', ['-c', 'safe.directory=*', ...args], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'ignore'],
    maxBuffer: 1 << 28,
  });
}

/** The commit that a ref names; none where there is no such ref. */
function commitOf(repository: Repository, ref: string): string | null {
  if (ref.startsWith('-')) return null;
  try {
    return git(repository, 'rev-parse', '--verify', '--quiet', `${ref}^{commit}`).toString().trim();
  } catch {
    return null;
  }
}

/** GitHub gives larger files by other calls. */
const LARGEST_BYTES = 1024 * 1024;

interface TreeEntry {
  readonly kind: 'file' | 'dir';
  readonly path: string;
  readonly sha: string;
}

/** The entries of a commit at a path: itself, or with a slash at its end those in it. */
function entriesAt(repository: Repository, commit: string, path: string): TreeEntry[] {
  const lines = git(repository, 'ls-tree', '-z', commit, '--', path).toString().split('\0');
  return lines.flatMap((line) => {
    const [, mode = '', kind, sha = '', name = ''] = /^(\d+) (\w+) ([0-9a-f]+)\t(.+)$/.exec(line) ?? [];
    // A link, or another repository within this one, is not simulated.
    if ((kind !== 'blob' && kind !== 'tree') || mode === '120000') return [];
    return [{ kind: kind === 'blob' ? 'file' : 'dir', path: name, sha }];
  });
}

/** A file with its content, or the list of what is in a folder. */
function contentView(call: Call): unknown {
  const { repository, params, query } = call;
  const path = (params['path'] ?? '').replace(/\/+$/, '');
  const ref = query.get('ref') ?? 'HEAD';
  const commit = commitOf(repository, ref);
  if (commit === null) throw new GitHubError(404, `No commit found for the ref ${ref}`);
  const [entry] = entriesAt(repository, commit, path);
  if (!entry) throw notFound();
  if (entry.kind === 'file') return fileView(call, entry, ref);
  return entriesAt(repository, commit, `${path}/`).map((one) => entryView(call, one, ref));
}

function fileView(call: Call, entry: TreeEntry, ref: string): unknown {
  const content = git(call.repository, 'cat-file', 'blob', entry.sha);
  const small = content.length <= LARGEST_BYTES;
  return {
    ...entryView(call, entry, ref),
    size: content.length,
    encoding: small ? 'base64' : 'none',
    content: small ? content.toString('base64').replace(/.{60}/g, '$&\n') : '',
  };
}

function entryView({ base, repository }: Call, { kind, path, sha }: TreeEntry, ref: string): object {
  const isFile = kind === 'file';
  const url = `${base}/repos/${repository.fullName}/contents/${path}?ref=${ref}`;
  const html = `https://github.com/${repository.fullName}/${isFile ? 'blob' : 'tree'}/${ref}/${path}`;
  const gitUrl = `${base}/repos/${repository.fullName}/git/${isFile ? 'blobs' : 'trees'}/${sha}`;
  const raw = `https://raw.githubusercontent.com/${repository.fullName}/${ref}/${path}`;
  return {
    ...{ type: kind, name: path.split('/').at(-1), path, sha, size: 0 },
    ...{ url, html_url: html, git_url: gitUrl, download_url: isFile ? raw : null },
    _links: { self: url, git: gitUrl, html },
  };
}

function commitView({ base, repository, params: { commit_sha: asked = '' } }: Call): unknown {
  const sha = commitOf(repository, asked);
  if (sha === null) throw notFound();
  const show = (format: string): string =>
    git(repository, 'show', '--no-patch', `--format=${format}`, sha).toString().trim();
  const person = (who: 'a' | 'c'): unknown => ({
    name: show(`%${who}n`),
    email: show(`%${who}e`),
    date: new Date(Number(show(`%${who}t`)) * 1_000).toISOString(),
  });
  const link = (kind: string, id: string): string => `${base}/repos/${repository.fullName}/git/${kind}/${id}`;
  const html = (id: string): string => `https://github.com/${repository.fullName}/commit/${id}`;
  const parents = show('%P').split(' ').filter(Boolean);
  return {
    ...{ sha, node_id: nodeId('Commit', sha), url: link('commits', sha), html_url: html(sha) },
    ...{ author: person('a'), committer: person('c'), message: show('%B') },
    tree: { sha: show('%T'), url: link('trees', show('%T')) },
    parents: parents.map((id) => ({ sha: id, url: link('commits', id), html_url: html(id) })),
    verification: { verified: false, reason: 'unsigned', signature: null, payload: null, verified_at: null },
  };
}
