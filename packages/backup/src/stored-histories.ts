import type { Storage } from '@perlstack/object-storage';
import type { Remote } from '@perlstack/remote';
import type { Catalogue } from './catalogue.js';
import type { Histories } from './lineage.js';
import { readOfLog } from './restore.js';
import { HISTORY_NAME, parseHistory, timelineOf } from './wal.js';

/**
 * Prints histories out of the bucket, each behind a line with its name. Input: the identity, or an empty line; then a line `NAME
 * HOW URL` each. The identity goes on by a pipe, and the URL by one.
 */
const READ_SCRIPT = `
set -euo pipefail
IFS= read -r identity
decrypt() { if [ "$1" = age ]; then age -d -i <(printf '%s\\n' "$identity"); else cat; fi; }
while read -r name how url; do
  printf '\\nhistory %s\\n' "$name"
  printf 'url = "%s"\\n' "$url" |
    curl -q --silent --show-error --fail --connect-timeout 10 --max-time 60 --retry 3 --config - |
    decrypt "$how" | zstd -q -d -c
done
`;

/** Longer than it takes to read some small files. */
const EXPIRES_S = 600;

/** What reading the histories takes: they may be encrypted, and a host of the stack has what decrypts them. */
export interface HistoryReading {
  readonly remote: Pick<Remote, 'run'>;
  readonly storage: Pick<Storage, 'presigner'>;
  readonly host: string;
  /** Private key of age; `null`: nobody gave it. */
  readonly identity: string | null;
  readonly signal: AbortSignal;
}

/** Whether a catalogue has histories that nobody can read without the identity. */
export const needsIdentity = ({ wal }: Pick<Catalogue, 'wal'>): boolean =>
  [...wal].some(([name, { key }]) => HISTORY_NAME.test(name) && key.endsWith('.age'));

/**
 * Reads the histories of timelines that the bucket has.
 *
 * @throws RemoteError when a host cannot read them
 */
export async function readStoredHistories(
  { remote, storage, host, identity, signal }: HistoryReading,
  { wal }: Pick<Catalogue, 'wal'>,
): Promise<Histories> {
  const files = [...wal].filter(([name]) => HISTORY_NAME.test(name));
  if (files.length === 0) return new Map();
  const presigner = storage.presigner(EXPIRES_S);
  const lines = files.map(([name, file]) => {
    const { url } = presigner.sign(readOfLog(file));
    return `${name} ${file.key.endsWith('.age') ? 'age' : 'plain'} ${url}`;
  });
  const { stdout } = await remote.run(host, ['bash', '-c', READ_SCRIPT], {
    ...{ signal, name: 'reading the histories', timeoutMs: 120_000 },
    input: `${[identity ?? '', ...lines].join('\n')}\n`,
  });
  return historiesIn(stdout);
}

/** Histories as the script above prints them. */
export function historiesIn(text: string): Histories {
  const [, ...parts] = text.split(/^history (\S+)$/m);
  const named = parts.flatMap((name, at) => (at % 2 === 0 ? [[name, parts[at + 1] ?? ''] as const] : []));
  return new Map(named.map(([name, content]) => [timelineOf(name), parseHistory(content)]));
}
