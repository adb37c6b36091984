import { type Clock, LinodeApiError, UncertainOutcome } from '@perlstack/linode';

const TRIES = 4;
/** How long the API may take to list what it has made before its answer was lost. */
const SETTLE_MS = 2_000;

/**
 * Makes something that must not be made twice. It looks first; and when an answer is lost, or says that the label is
 * taken, it looks again before it asks again: the label is the only thing by which a lost creation is known.
 *
 * @param find the thing, if it exists; throws when something foreign stands in its place
 */
export async function makeOnce<T>(
  find: () => Promise<T | undefined>,
  make: () => Promise<T>,
  clock: Clock,
  signal: AbortSignal,
): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    const existing = await find();
    if (existing !== undefined) return existing;
    try {
      return await make();
    } catch (error) {
      if (attempt === TRIES || !mayExist(error)) throw error;
      await clock.sleep(SETTLE_MS * attempt, signal);
    }
  }
}

/** What of a thing may not be twice: its label, the port of a NodeBalancer, the address of a node. */
const TAKEN = new Set<string | undefined>(['label', 'port', 'address']);

function mayExist(error: unknown): boolean {
  if (error instanceof UncertainOutcome) return true;
  return (
    error instanceof LinodeApiError &&
    error.status === 400 &&
    error.reasons.some(({ field, reason }) => TAKEN.has(field) && /unique|in use|exist/i.test(reason))
  );
}
