import type { Comment, GitHub } from './client.js';

export type CommentOutcome = 'created' | 'updated' | 'unchanged' | 'none';

/**
 * Keeps one comment of a pull request: found by a marker that nobody sees, updated in its place, made where it is
 * missing.
 *
 * @param marker the first line of the comment, `<!-- … -->`
 * @param body the rest of it
 * @param make whether to make one where there is none
 */
export async function keepComment(
  github: GitHub,
  pull: number,
  { marker, body, make }: { readonly marker: string; readonly body: string; readonly make: boolean },
): Promise<CommentOutcome> {
  const own = await findOwn(github, pull, marker);
  const text = `${marker}\n${body}`;
  if (own) {
    // GitHub gives line ends back as they were sent; what a person may have saved in a browser has others.
    if (own.body.replaceAll('\r\n', '\n') === text) return 'unchanged';
    await github.updateComment(own.id, text);
    return 'updated';
  }
  if (!make) return 'none';
  await github.createComment(pull, text);
  return 'created';
}

/** The first comment with the marker that is ours: anybody can write a marker. */
async function findOwn(github: GitHub, pull: number, marker: string): Promise<Comment | undefined> {
  let viewer: string | null | undefined;
  for await (const comment of github.comments(pull)) {
    if (!comment.body.startsWith(marker)) continue;
    if (comment.author.isBot) return comment;
    viewer ??= await github.viewer();
    if (comment.author.login === viewer) return comment;
  }
  return undefined;
}
