import { setTimeout as sleep } from 'node:timers/promises';
import { type Remote, RemoteError } from '@perlstack/remote';
import { messageOf, UserError } from '@perlstack/stack';
import { CONFIRM_SCRIPT, RESTORE_SCRIPT, WENT_BACK } from './apply-script.js';
import { STATE_FOLDER } from './layout.js';
import type { ApplyStep } from './step.js';

/** How long a host waits for somebody to log in before it takes the change back by itself, where nothing else is said. */
export const GUARD_SECONDS = 60;

/** One attempt at taking a change back over a connection that may be dead. */
const ATTEMPT_MS = 15_000;
/** How long after the host's own time is up it must be back, in seconds. */
const LATE_SECONDS = 60;
const PAUSE_MS = 1000;

/**
 * Brings a change into force on which it hangs whether anybody can still log in: when a new connection is not let in, it
 * is taken back over the one that is still open; when that is gone too, the host's own timer takes it back.
 *
 * @param guardSeconds the host's own time, with which `apply` armed it
 * @throws UserError when the change was taken back
 */
export async function keepAccess(
  remote: Remote,
  step: ApplyStep,
  guardSeconds: number,
  apply: () => Promise<string>,
): Promise<string> {
  const start = Date.now();
  try {
    const said = await apply();
    await remote.reach(step.host, { sudo: true });
    await confirm(remote, step);
    return said;
  } catch (error) {
    if (!lockedOut(error)) throw error;
    const until = start + (guardSeconds + LATE_SECONDS) * 1000;
    const end = (await takeBack(remote, step, until)) ? 'the old one is back in force' : 'AND IT STAYS SO';
    throw new UserError(
      `${step.host}: ${step.service}: with the new configuration nobody could log in any more; ${end}: ${messageOf(error)}`,
    );
  }
}

/** A script that ended, with whatever code, was heard to its end. */
function lockedOut(error: unknown): boolean {
  if (!(error instanceof RemoteError)) return error instanceof UserError;
  return error.reason === 'lost' || error.reason === 'timeout' || error.code === WENT_BACK;
}

async function confirm(remote: Remote, { host, service }: ApplyStep): Promise<void> {
  const options = { name: `${service}: confirming access`, sudo: true, timeoutMs: ATTEMPT_MS };
  await remote.script(host, CONFIRM_SCRIPT, [STATE_FOLDER, service], options);
}

/** @returns whether the host is as it was */
async function takeBack(remote: Remote, { host, service }: ApplyStep, until: number): Promise<boolean> {
  const options = { name: `${service}: taking back`, sudo: true, timeoutMs: ATTEMPT_MS };
  while (Date.now() < until) {
    try {
      await remote.script(host, RESTORE_SCRIPT, [STATE_FOLDER, service], options);
      return true;
    } catch {
      await sleep(PAUSE_MS);
    }
  }
  return false;
}
