import type { ManagedFile } from '@perlstack/configs';
import { sha256 } from './records.js';
import type { ObservedFile, Remembered, Version } from './world.js';

/**
 * How a path stands between what is wanted, what is there and how we last left it:
 * `right`; `due` (nobody but us has touched it); `drifted` (somebody did, and nothing else is wanted of us);
 * `contested` (somebody did, and it is to change).
 */
export type Standing = 'right' | 'due' | 'drifted' | 'contested';

/** What is or should be at a path; `other` is neither a plain file nor nothing. */
export type State = Version | 'absent' | 'other';

/** Pure. `remembered` is undefined where it is not known, and then nothing is held to be anybody else's work. */
export function standingOf(desired: State, live: State, remembered: Remembered | undefined): Standing {
  if (same(desired, live)) return 'right';
  if (remembered === undefined || same(live, remembered)) return 'due';
  return same(desired, remembered) ? 'drifted' : 'contested';
}

export function versionOf({ content, owner, group, mode }: ManagedFile): Version {
  return { sha256: sha256(content), owner, group, mode };
}

export function stateOf(observed: ObservedFile | undefined): State {
  if (observed === undefined) return 'absent';
  return observed === 'not-a-file' ? 'other' : observed;
}

export function same(one: State, other: State): boolean {
  if (typeof one === 'string' || typeof other === 'string') return one === other;
  return (
    one.sha256 === other.sha256 &&
    one.owner === other.owner &&
    one.group === other.group &&
    one.mode === other.mode
  );
}
