import type { Remote } from '@perlstack/remote';
import { FETCH_PROGRAM } from './fetch-program.js';
import { PROGRESS_MS, YIELDING } from './send.js';

export interface Fetching {
  readonly host: string;
  /** Makes an argv that runs as the user whose data they are, for root. */
  readonly as: (argv: readonly string[]) => string[];
  readonly url: string;
  readonly size: number;
  readonly sha256: string;
  /** The first reads the object; what the last one prints is thrown away. */
  readonly programs: readonly (readonly string[])[];
  /** What programs find at /dev/fd/4. */
  readonly secret?: string;
  readonly signal: AbortSignal;
  readonly onProgress?: (bytes: number) => void;
}

/** Where a program started for a fetch finds the secret. */
export const SECRET_FILE = '/dev/fd/4';

/**
 * Has a host read an object straight from the bucket into programs.
 *
 * @throws RemoteError when a program fails, or when what came is not what the manifest says
 */
export async function fetchTo(remote: Remote, fetching: Fetching): Promise<void> {
  const { host, as, url, size, sha256, programs, secret, signal, onProgress } = fetching;
  const spec = {
    url,
    size,
    sha256,
    programs,
    tries: 7,
    silence: '30',
    ...(secret === undefined ? {} : { secret }),
  };
  let told = Date.now();
  await remote.run(host, as([...YIELDING, 'perl', '-e', FETCH_PROGRAM]), {
    ...{ sudo: true, signal, name: 'the restore', input: `${JSON.stringify(spec)}\n` },
    onLine: (line, stream) => {
      const word = stream === 'stdout' ? (JSON.parse(line) as { at?: number }) : {};
      if (word.at === undefined || Date.now() - told < PROGRESS_MS) return;
      told = Date.now();
      onProgress?.(word.at);
    },
  });
}
