import { UserError } from '@perlstack/stack';
import { goodReleases, mostNamed } from './lanes.js';
import type { AppHostState, Observed } from './world.js';

/**
 * The release that a rollback goes to when nobody names one: the newest of those that held, that every host keeps, and that
 * came before the one that serves. So one rollback after the other goes one release further back.
 *
 * @throws UserError when there is none
 */
export function releaseBefore(observed: Observed): string {
  const { app } = observed;
  const good = goodReleases(observed);
  const serving = mostNamed(app.map((host) => host.serving));
  const since = serving === null ? Infinity : unpackedAt(app, serving);
  const kept = (app[0]?.releases ?? [])
    .map(({ id }) => id)
    .filter((id) => app.every(({ releases }) => releases.some((one) => one.id === id && !one.bad)));
  const [target] = kept
    .filter((id) => good.has(id) && id !== serving && unpackedAt(app, id) < since)
    .sort((a, b) => unpackedAt(app, b) - unpackedAt(app, a));
  if (target !== undefined) return target;
  throw new UserError(
    `there is no release to go back to: none that held before ${serving ?? 'now'} is kept on every app server. Name one of ` +
      `${kept.join(', ') || 'none'} in the input "release", or deploy an older commit. Nothing was changed`,
  );
}

/** When a release came to the hosts, in seconds since the epoch: on the last of them. */
const unpackedAt = (app: readonly AppHostState[], id: string): number =>
  Math.max(
    0,
    ...app.flatMap(({ releases }) => releases.filter((one) => one.id === id)).map((one) => one.unpackedAt),
  );
