import type { S3Client } from '@aws-sdk/client-s3';

/** What the answers of a storage tell of its clock. */
export interface WatchedClock {
  /** Its clock minus ours, in milliseconds; `null`: there was no answer yet. */
  skewMs(): number | null;
}

/** Listens to all answers that a client gets: none has to be asked for to know the time. */
export function watchClock(client: S3Client): WatchedClock {
  let best: { readonly skewMs: number; readonly tookMs: number } | null = null;
  client.middlewareStack.add(
    (next) => async (args) => {
      const before = Date.now();
      const answer = await next(args);
      const after = Date.now();
      const theirs = Date.parse(dateOf(answer.response));
      const tookMs = after - before;
      // Headers tell whole seconds. The faster an answer came, the better is it known when in between that was.
      if (!Number.isNaN(theirs) && (best === null || tookMs <= best.tookMs))
        best = { tookMs, skewMs: theirs + 500 - (before + after) / 2 };
      return answer;
    },
    { step: 'deserialize', priority: 'low', name: 'watchClock' },
  );
  return { skewMs: () => best?.skewMs ?? null };
}

const dateOf = (response: unknown): string =>
  (response as { readonly headers?: Readonly<Record<string, string>> }).headers?.['date'] ?? '';
