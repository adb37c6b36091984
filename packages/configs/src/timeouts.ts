import type { Stack } from '@perlstack/stack';

/**
 * How long each layer waits for a request, in milliseconds. No request may outlive the drain, or a deploy would cut
 * it; and each layer waits longer than the one below, so that the layer that knows most is the one that answers.
 */
export interface Cuts {
  /** nginx on the app host, for the application. */
  readonly local: number;
  /** nginx of the web tier, for the app host. */
  readonly web: number;
  /** Old nginx workers after a reload. */
  readonly nginxWorkers: number;
  /** systemd, from SIGQUIT to SIGKILL. */
  readonly stop: number;
}

/** The limits of a stack, all from its `app.drainTimeout`. */
export function cutAfter({ app: { drainTimeout } }: Stack): Cuts {
  return {
    local: drainTimeout,
    web: drainTimeout + 5_000,
    nginxWorkers: drainTimeout + 10_000,
    stop: drainTimeout + 10_000,
  };
}
