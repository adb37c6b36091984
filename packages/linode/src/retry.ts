import pRetry from 'p-retry';
import type { Clock } from './clock.js';
import { LinodeApiError, LinodeUnreachable } from './errors.js';

/** How often a request is repeated that met a passing fault, and how long one that met a busy Linode. */
const RETRIES = 6;
const BUSY_RETRIES = 100;
const LONGEST_DELAY_MS = 20_000;
const LONGEST_RETRY_AFTER_MS = 120_000;

/**
 * Repeats a request as long as its failure is a passing one and it is certain that it had no effect or that repeating
 * has none (the transport turns every other failure into an UncertainOutcome, which ends it at once).
 */
export async function withRetry<T>(
  request: (attemptNumber: number) => Promise<T>,
  clock: Clock,
  signal: AbortSignal | undefined,
): Promise<T> {
  return pRetry(request, {
    retries: BUSY_RETRIES,
    // The delay is ours: p-retry knows neither Retry-After nor the clock.
    minTimeout: 0,
    ...(signal ? { signal } : {}),
    shouldRetry: async ({ error, attemptNumber }) => {
      const wait = delayBefore(error, attemptNumber, Math.random());
      if (wait === null) return false;
      await clock.sleep(wait, signal);
      return true;
    },
  });
}

/**
 * Milliseconds to wait before the next attempt, or `null` to give up.
 *
 * @param attempt how many attempts were made, from 1
 * @param random from 0 to 1
 */
export function delayBefore(error: unknown, attempt: number, random: number): number | null {
  if (error instanceof LinodeApiError && error.busy)
    return attempt < BUSY_RETRIES ? 2_000 + 2_000 * random : null;
  if (attempt > RETRIES || !passes(error)) return null;
  const backoff = Math.min(1_000 * 2 ** (attempt - 1), LONGEST_DELAY_MS) * (0.5 + random / 2);
  return Math.max(backoff, askedFor(error));
}

function passes(error: unknown): boolean {
  if (error instanceof LinodeUnreachable) return true;
  return (
    error instanceof LinodeApiError && (error.status === 429 || error.status === 408 || error.status >= 500)
  );
}

/** Retry-After stands on every answer of this API; only on these two does it mean that one should wait so long. */
function askedFor(error: unknown): number {
  const asked = error instanceof LinodeApiError && (error.status === 429 || error.status === 503);
  return asked ? Math.min(error.retryAfterMs ?? 0, LONGEST_RETRY_AFTER_MS) : 0;
}
