import { UserError } from '@perlstack/stack';
import { goodReleases, isLeftOut, mostNamed } from './lanes.js';
import type { AppHostState, Observed } from './world.js';

/**
 * The release that a rollback goes to when nobody names one: the newest of those that held, that a host keeps, and that came
 * before the one that serves. So one rollback after the other goes one release further back.
 *
 * @throws UserError when there is none
 */
export function releaseBefore(observed: Observed): string {
  const { app } = observed;
  const good = goodReleases(observed);
  const serving = mostNamed(app.map((host) => host.serving));
  const since = serving === null ? Infinity : unpackedAt(app, serving);
  const failed = new Set(
    app.flatMap(({ releases }) => releases.filter(({ bad }) => bad)).map(({ id }) => id),
  );
  const kept = keptOn(app);
  const target = kept.find(
    (id) => good.has(id) && !failed.has(id) && id !== serving && unpackedAt(app, id) < since,
  );
  if (target !== undefined) return target;
  throw new UserError(
    `there is no release to go back to: none that held before ${serving ?? 'now'} is kept on an app server. Name one of ` +
      `${kept.join(', ') || 'none'} in the input "to", or deploy an older commit. Nothing was changed`,
  );
}

/** The releases that a host keeps, whichever: what can be gone back to, newest first. */
export function keptOn(app: readonly AppHostState[]): string[] {
  const ids = new Set(app.flatMap(({ releases }) => releases.map(({ id }) => id)));
  return [...ids].sort((a, b) => unpackedAt(app, b) - unpackedAt(app, a));
}

/**
 * The release that a repair brings the others to: that of most hosts that get requests, of those that held; where as many
 * have another one, the last that held by the log.
 *
 * @param addresses address and port by which the web tier knows each app host
 * @throws UserError when there is none, or nothing says which of two
 */
export function releaseInService(observed: Observed, addresses: Readonly<Record<string, string>>): string {
  const good = goodReleases(observed);
  const serving = observed.app.flatMap(({ host, serving: id }) =>
    id !== null && good.has(id) ? [{ host, id }] : [],
  );
  const atWork = serving.filter(({ host }) => !isLeftOut(host, addresses, observed));
  const asked = atWork.length > 0 ? atWork : serving;
  const hostsOf = (id: string): number => asked.filter((one) => one.id === id).length;
  const most = Math.max(0, ...asked.map(({ id }) => hostsOf(id)));
  const first = new Set(asked.map(({ id }) => id).filter((id) => hostsOf(id) === most));
  const last = observed.audit.findLast(({ event, release }) => event === 'succeeded' && first.has(release));
  const [only] = first;
  if (only === undefined) {
    throw new UserError('no app server serves a release that held: deploy one. Nothing was changed');
  }
  if (first.size === 1) return only;
  if (last !== undefined) return last.release;
  throw new UserError(
    `the app servers serve different releases (${asked.map(({ host, id }) => `${host} ${id}`).join(', ')}), and no log says which ` +
      'of them held last: name one, with mode "rollback" in the input "to". Nothing was changed',
  );
}

/** When a release came to the hosts, in seconds since the epoch: on the last of them. */
const unpackedAt = (app: readonly AppHostState[], id: string): number =>
  Math.max(
    0,
    ...app.flatMap(({ releases }) => releases.filter((one) => one.id === id)).map((one) => one.unpackedAt),
  );
