import type { Handler, Handlers } from '@perlstack/procedure';
import { baking } from './bake.js';
import { act, type Hands, hostsAtWork } from './hands.js';
import { releaseLock } from './lease.js';
import { migrating } from './migrate.js';
import { leavingOut, puttingBack, restarting, takingOut } from './out-of-service.js';
import { copying } from './copy.js';
import { providing } from './modules.js';
import { booting, compiling, proving, uploading } from './prepare.js';
import { draining, gating, holding, switching } from './roll.js';
import * as scripts from './scripts.js';
import type { FinishStep, LockStep, ReleaseStep } from './steps.js';
import { stopLimit } from './stop.js';

/** What each kind of step does on the hosts. */
export function handlers(hands: Hands): Handlers<ReleaseStep> {
  return {
    upload: uploading(hands),
    copy: copying(hands),
    modules: providing(hands),
    compile: compiling(hands),
    boot: booting(hands),
    prove: proving(hands),
    switch: switching(hands),
    gate: gating(hands),
    drain: draining(hands),
    'take-out': takingOut(hands),
    restart: restarting(hands),
    'put-back': puttingBack(hands),
    hold: holding(hands),
    migrate: migrating(hands),
    bake: baking(hands),
    'leave-out': leavingOut(hands),
    finish: finishing(hands),
    lock: locking(hands),
  };
}

function finishing(hands: Hands): Handler<FinishStep> {
  return {
    run: async ({ host, release, stop: old, remove }, context) => {
      const args = [release, String(old.length), ...old, ...remove];
      const limit = { timeoutMs: stopLimit(hands.site, old.length) };
      const cut = Number(await act(hands, host, ['finish', scripts.FINISH], args, context, limit));
      if (cut > 0) hands.onCut?.(host, cut);
      const removed = remove.length > 0 ? `${remove.length} removed` : '';
      return [cut > 0 ? `${cut} requests cut` : '', removed].filter(Boolean).join(', ');
    },
  };
}

function locking(hands: Hands): Handler<LockStep> {
  return {
    run: () => Promise.reject(new Error('the lock is taken before a plan is made')),
    undo: () => releaseLock(hands.site, hands.owner),
  };
}

/** Ends a roll-out that did not hold on every host; where the release is to blame, nobody goes back to it. */
export async function setAside(hands: Hands, release: string, blamed: boolean): Promise<void> {
  const { signal } = new AbortController();
  const args = [release, blamed ? 'bad' : ''];
  const marks = hostsAtWork(hands).map((host) =>
    act(hands, host.name, ['setting aside', scripts.SET_ASIDE], args, { signal }),
  );
  await Promise.allSettled(marks);
}
