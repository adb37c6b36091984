import { randomBytes } from 'node:crypto';
import { PassThrough, Readable } from 'node:stream';
import type { RunOptions, UploadTarget } from './remote.js';

/**
 * Takes a file from standard input. The content ends with a word that only this upload knows, so that a connection
 * which breaks in the middle cannot pass for the end of the file.
 */
const SCRIPT = `
set -eu
path=$1 mode=$2 owner=$3 ending=$4
folder=$(dirname -- "$path")
umask 077
temp=$(mktemp -- "$folder/.upload.XXXXXXXX")
trap 'rm -f -- "$temp"' EXIT
trap 'exit 143' TERM INT HUP PIPE
cat > "$temp"
if [ "$(tail -c \${#ending} -- "$temp")" != "$ending" ]; then
  echo "the content broke off" >&2
  exit 75
fi
truncate -s -\${#ending} -- "$temp"
chown -- "$owner" "$temp"
chmod -- "$mode" "$temp"
sync -- "$temp"
mv -fT -- "$temp" "$path"
sync -- "$folder"
`;

/** The script, its arguments and its input that put `content` in place. */
export function uploadCommand(
  target: UploadTarget,
  content: Buffer | Readable,
): { script: string; args: string[]; input: Readable; options: Pick<RunOptions, 'name'> } {
  const ending = randomBytes(16).toString('hex');
  const args = [
    target.path,
    target.mode.toString(8).padStart(4, '0'),
    `${target.owner}:${target.group}`,
    ending,
  ];
  const input =
    content instanceof Readable ? followedBy(content, ending) : Readable.from([content, Buffer.from(ending)]);
  return { script: SCRIPT, args, input, options: { name: `upload of ${target.path}` } };
}

/** A stream and then a word; an error of the stream is an error of the whole. */
function followedBy(content: Readable, ending: string): Readable {
  const whole = new PassThrough({ highWaterMark: 1024 * 1024 });
  // Whoever reads it hears of the error; until then nobody does, and that must not end the process.
  whole.on('error', () => undefined);
  content.on('error', (error) => whole.destroy(error));
  content.on('end', () => whole.end(ending));
  content.on('close', () => {
    if (!content.readableEnded) whole.destroy(new Error('The content was closed before its end'));
  });
  whole.on('close', () => content.destroy());
  content.pipe(whole, { end: false });
  return whole;
}
