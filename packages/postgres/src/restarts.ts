import type { Intent } from '@perlstack/engine';
import { LIMITS, type PostgresSeen } from './seen.js';

/** Members that will be restarted, in the order in which that has to happen. */
export interface Restarts {
  readonly hosts: readonly string[];
  /** Limits that rise while others sink: no order is right for both. */
  readonly contrary: { readonly rising: readonly string[]; readonly sinking: readonly string[] } | null;
}

/**
 * The order of restarts. A replica must not have less of a limit than its primary, which writes the change into the
 * WAL: a limit that sinks does so on the primary first. All else goes through the replicas first, so that a fault
 * shows where it does no harm.
 *
 * @param primary its own limits tell which of them change; `null` while it does not answer.
 * @param due every member that will be restarted.
 */
export function orderRestarts(
  due: readonly string[],
  primary: string,
  seen: Readonly<Record<string, PostgresSeen>>,
  intents: Readonly<Record<string, Intent>>,
): Restarts {
  const replicas = due.filter((host) => host !== primary);
  const now = seen[primary]?.server?.limits ?? {};
  const next = { ...(seen[primary]?.server?.declaredLimits ?? {}), ...limitsIn(intents[primary]) };
  const changing = (more: (a: number, b: number) => boolean): string[] =>
    LIMITS.filter((name) => more(next[name] ?? now[name] ?? 0, now[name] ?? 0));
  const rising = due.includes(primary) ? changing((a, b) => a > b) : [];
  const sinking = due.includes(primary) ? changing((a, b) => a < b) : [];
  const own = due.includes(primary) ? [primary] : [];
  return {
    hosts: sinking.length > 0 ? [...own, ...replicas] : [...replicas, ...own],
    contrary: rising.length > 0 && sinking.length > 0 ? { rising, sinking } : null,
  };
}

/** The limits that the new files of a member set. */
function limitsIn(intent: Intent | undefined): Partial<Record<string, number>> {
  const text = (intent?.files ?? []).map(({ after }) => after).join('\n');
  return Object.fromEntries(
    LIMITS.flatMap((name) => {
      const value = new RegExp(`^${name} *= *'?(\\d+)'?`, 'm').exec(text)?.[1];
      return value === undefined ? [] : [[name, Number(value)]];
    }),
  );
}
