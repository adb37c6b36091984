import { formatDuration } from '@perlstack/stack';

/** How a gate goes about its tries. */
export interface Pace {
  /** Consecutive tries that have to succeed. */
  readonly successes: number;
  /** Pause between two tries, in milliseconds. */
  readonly intervalMs: number;
  /** For how long it has to stay healthy then, in milliseconds. */
  readonly holdMs: number;
  /** Limit for everything, in milliseconds. */
  readonly timeoutMs: number;
  /** Most tries; absent for as many as fit in the time. */
  readonly maxTries?: number;
  /** Most answers that a probe needs before a share of them can be judged; absent where none does. */
  readonly samples?: number;
}

/** What of it can never be kept, in words: a gate that cannot open whatever it is told; undefined when it can. */
export function whyNever(
  pace: Pace,
): { readonly limit: 'timeout' | 'max-tries'; readonly why: string } | undefined {
  const { intervalMs, holdMs, timeoutMs, maxTries = Infinity } = pace;
  const first = firstTries(pace);
  const more = intervalMs === 0 ? 0 : Math.ceil(holdMs / intervalMs);
  if (first + more > maxTries)
    return { limit: 'max-tries', why: `${maxTries} are too few: ${wish(pace)} need ${first + more}` };
  // The last try begins before the time is up.
  const leastMs = (first - 1) * intervalMs + (intervalMs === 0 ? holdMs : more * intervalMs);
  if (leastMs < timeoutMs) return undefined;
  return {
    limit: 'timeout',
    why: `${formatDuration(timeoutMs)} is too short: ${wish(pace)} need more than ${formatDuration(leastMs)}`,
  };
}

/** Until there are enough successes in a row, the first of which needs its samples. */
const firstTries = ({ successes, samples = 1 }: Pace): number => successes + samples - 1;

function wish({ successes, intervalMs, holdMs, samples = 1 }: Pace): string {
  const sampled = samples > 1 ? `${samples} samples and ` : '';
  const inRow = successes === 1 ? 'a success' : `${successes} successes in a row`;
  const apart = successes + samples > 2 && intervalMs > 0 ? `, ${formatDuration(intervalMs)} apart,` : '';
  const hold = holdMs > 0 ? ` and a hold of ${formatDuration(holdMs)}` : '';
  return `${sampled}${inRow}${apart}${hold}`;
}
