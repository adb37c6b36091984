import { expect, it } from '@jest/globals';
import { ConcurrencyGroups, type Entry } from './concurrency.js';

/** A group in which members are named, with a record of what befell them. */
class Group {
  readonly log: string[] = [];
  readonly #groups = new ConcurrencyGroups();
  readonly #leave = new Map<string, () => void>();
  readonly #abort = new Map<string, AbortController>();

  async enter(name: string, options: Partial<Entry> = {}): Promise<void> {
    const abort = new AbortController();
    this.#abort.set(name, abort);
    const entry: Entry = {
      group: 'G',
      cancelInProgress: false,
      queue: 'single',
      cancel: () => this.log.push(`cancel ${name}`),
      ...options,
    };
    const entered = this.#groups.enter(entry, abort.signal).then((leave) => {
      this.log.push(leave ? `run ${name}` : `drop ${name}`);
      if (leave) this.#leave.set(name, leave);
    });
    await Promise.race([entered, new Promise((resolve) => setImmediate(resolve))]);
  }

  async leave(name: string): Promise<void> {
    this.#leave.get(name)?.();
    await new Promise((resolve) => setImmediate(resolve));
  }

  async abort(name: string): Promise<void> {
    this.#abort.get(name)?.abort();
    await new Promise((resolve) => setImmediate(resolve));
  }
}

it('lets one run, one wait, and a newer one take the place of the one that waits', async () => {
  const group = new Group();
  for (const name of ['a', 'b', 'c']) await group.enter(name);
  await group.leave('a');
  await group.leave('c');
  await group.enter('d');
  expect(group.log).toEqual(['run a', 'cancel b', 'drop b', 'run c', 'run d']);
});

it('keeps all that wait, in order, with queue: max', async () => {
  const group = new Group();
  for (const name of ['a', 'b', 'c']) await group.enter(name, { queue: 'max' });
  for (const name of ['a', 'b', 'c']) await group.leave(name);
  expect(group.log).toEqual(['run a', 'run b', 'run c']);
});

it('cancels the one that runs, and starts when it has left', async () => {
  const group = new Group();
  await group.enter('a');
  await group.enter('b', { cancelInProgress: true });
  expect(group.log).toEqual(['run a', 'cancel a']);
  await group.leave('a');
  expect(group.log).toEqual(['run a', 'cancel a', 'run b']);
});

it('forgets one that is cancelled while it waits', async () => {
  const group = new Group();
  await group.enter('a');
  await group.enter('b');
  await group.abort('b');
  await group.leave('a');
  await group.enter('c');
  expect(group.log).toEqual(['run a', 'drop b', 'run c']);
});

it('takes groups for the same whatever their case, and different ones apart', async () => {
  const group = new Group();
  await group.enter('a');
  await group.enter('b', { group: 'g' });
  await group.enter('c', { group: 'other' });
  expect(group.log).toEqual(['run a', 'run c']);
});
