/** What a run or a job asks for when it enters its group. */
export interface Entry {
  readonly group: string;
  /** Cancels the one that runs, and all that wait, instead of waiting for it. */
  readonly cancelInProgress: boolean;
  /** `single`: at most one waits, a newer one takes its place; `max`: up to 100 wait, in order. */
  readonly queue: 'single' | 'max';
  /** Called when this one is to be cancelled, waiting or running. */
  readonly cancel: (reason: string) => void;
}

interface Member extends Entry {
  readonly start: (granted: boolean) => void;
}

const LONGEST_QUEUE = 100;

/** The concurrency groups of a repository: of each group at most one member runs. Names do not mind case. */
export class ConcurrencyGroups {
  readonly #groups = new Map<string, { running: Member; waiting: Member[] }>();

  /**
   * Waits for one's turn.
   *
   * @returns the function that gives the place free, or `undefined` when the entry was displaced while it waited
   */
  async enter(entry: Entry, signal: AbortSignal): Promise<(() => void) | undefined> {
    const key = entry.group.toLowerCase();
    if (signal.aborted) return undefined;
    const granted = await new Promise<boolean>((start) => {
      this.#admit(key, { ...entry, start });
      signal.addEventListener('abort', () => this.#withdraw(key, start), { once: true });
    });
    return granted ? () => this.#leave(key) : undefined;
  }

  #admit(key: string, member: Member): void {
    const group = this.#groups.get(key);
    if (!group) {
      this.#groups.set(key, { running: member, waiting: [] });
      member.start(true);
      return;
    }
    if (member.cancelInProgress)
      group.running.cancel(`a newer entry of the concurrency group "${member.group}" cancels it`);
    const room = member.queue === 'max' && !member.cancelInProgress ? LONGEST_QUEUE - 1 : 0;
    for (const displaced of group.waiting.splice(room)) {
      displaced.cancel(`a newer entry of the concurrency group "${member.group}" takes its place`);
      displaced.start(false);
    }
    group.waiting.push(member);
  }

  #withdraw(key: string, start: Member['start']): void {
    const group = this.#groups.get(key);
    if (group) group.waiting = group.waiting.filter((member) => member.start !== start);
    start(false);
  }

  #leave(key: string): void {
    const group = this.#groups.get(key);
    const next = group?.waiting.shift();
    if (!group || !next) {
      this.#groups.delete(key);
      return;
    }
    group.running = next;
    next.start(true);
  }
}

const repositories = new Map<string, ConcurrencyGroups>();

/** The groups of a repository, shared by all runs in this process. */
export function groupsOf(repository: string): ConcurrencyGroups {
  const groups = repositories.get(repository) ?? new ConcurrencyGroups();
  repositories.set(repository, groups);
  return groups;
}
