import { describe, expect, it } from '@jest/globals';
import { keysIn, type Storage } from '@perlstack/object-storage';
import { UserError } from '@perlstack/stack';
import { readAndClear } from './backup.js';
import { keysOf } from './keys.js';
import { exampleManifest } from './testing.js';
import {
  bytesKept,
  type ObjectFacts,
  readStored,
  removeStored,
  touchedIn,
  unreadIn,
  writeStored,
} from './stored.js';

/** As a storage lists them: the newest first. */
const listed = (key: string, etags: readonly string[], markers = 0) => ({
  Versions: etags.map((ETag, at) => ({
    Key: key,
    ETag: `"${ETag}"`,
    VersionId: `v${etags.length - at}`,
    Size: 10,
  })),
  DeleteMarkers: Array.from({ length: markers }, (_, at) => ({ Key: key, VersionId: `m${at}` })),
});

describe('touchedIn', () => {
  it('tells what came again from what was overwritten, and what was marked as removed', () => {
    const keys = keysIn([
      listed('once', ['a']),
      listed('twice', ['a', 'a']),
      listed('other', ['b', 'a', 'a']),
      listed('removed', ['a'], 2),
      listed('other-and-removed', ['b', 'a'], 1),
      listed('gone', [], 1),
    ]);
    expect(touchedIn(keys)).toEqual([
      { key: 'other', how: 'overwritten' },
      { key: 'other-and-removed', how: 'overwritten' },
      { key: 'removed', how: 'removed' },
      { key: 'twice', how: 'again' },
    ]);
  });
});

describe('bytesKept', () => {
  it('is the size of all versions, since all are paid for', () => {
    const [key] = keysIn([listed('twice', ['b', 'a'])]);
    expect(key && bytesKept(key)).toBe(20);
  });
});

const keys = keysOf('shop').cluster('7');
const manifestOf = (id: string, size: number): ObjectFacts => ({
  ...{ id, startedAt: '2026-11-27T02:00:00Z', finishedAt: '2026-11-27T02:01:00Z' },
  object: {
    ...{ key: keys.data(id, false), size, etag: 'data', sha256: '', version: null },
    ...{ parts: [], recipient: null },
  },
});
/** A bucket with backups, by the size that their manifests tell and the digest of those. */
const bucketOf = (backups: Readonly<Record<string, readonly [size: number, etag: string]>>) => {
  const asked: string[] = [];
  const object = (key: string, size: number, etag: string) => ({
    ...{ key, markers: [] },
    versions: [{ key, size, etag, modified: new Date(0), version: null }],
  });
  const ids = Object.entries(backups);
  return {
    asked,
    versions: async () =>
      ids.flatMap(([id, [, etag]]) => [
        object(keys.data(id, false), 10, 'data'),
        object(keys.manifest(id), 5, etag),
      ]),
    get: async (key: string) => {
      asked.push(key);
      const [id = '', [size] = [0]] = ids.find(([one]) => keys.manifest(one) === key) ?? [];
      return { content: Buffer.from(JSON.stringify(manifestOf(id, size))), etag: '' };
    },
  };
};
const read = (text: string): ObjectFacts => JSON.parse(text) as ObjectFacts;

describe('readStored', () => {
  it('takes for unfinished only what no manifest is listed of: one that is not given may be good, and stops all removal', async () => {
    const bucket = bucketOf({ given: [10, 'a'], silent: [10, 'b'] });
    const key = keys.data('begun', false);
    const begun = {
      key,
      markers: [],
      versions: [{ key, size: 1, etag: 'e', modified: new Date(0), version: null }],
    };
    const storage = {
      versions: async () => [...(await bucket.versions()), begun],
      get: async (one: string) => (one === keys.manifest('silent') ? null : bucket.get(one)),
      uploads: async () => [{ key, id: 'u', initiated: new Date(0) }],
      removeVersions: () => Promise.reject(new Error('removed')),
      openUpload: () => {
        throw new Error('ended');
      },
    };
    const { backups, broken } = await readStored(storage, keys, read);
    expect(backups.map(({ manifest }) => manifest.id)).toEqual(['given']);
    expect(broken).toMatchObject([
      { id: 'silent', unfinished: false, unread: true },
      { id: 'begun', unfinished: true },
    ]);
    expect(unreadIn(broken)).toMatch(/^Backup silent: .*nothing is removed/);
    expect(unreadIn(broken.slice(1))).toBeNull();
    const { cleared } = await readAndClear({ storage, stillHeld: async () => undefined }, keys, () =>
      readStored(storage, keys, read),
    );
    expect(cleared).toEqual([]);
  });

  it('reads a manifest again only where it is another object than before, and judges the data anew', async () => {
    const before = await readStored(bucketOf({ one: [10, 'a'], two: [10, 'b'] }), keys, read);
    expect(before.backups.map(({ manifest }) => manifest.id)).toEqual(['one', 'two']);
    const later = bucketOf({ one: [10, 'a'], two: [11, 'other'], three: [10, 'c'] });
    const { backups, broken } = await readStored(later, keys, read, before.backups);
    expect(later.asked.sort()).toEqual([keys.manifest('three'), keys.manifest('two')]);
    expect(backups.map(({ manifest }) => manifest.id)).toEqual(['one', 'three']);
    expect(broken).toMatchObject([{ id: 'two', unfinished: false }]);
  });
});

describe('writeStored', () => {
  it('writes and locks nothing when another run has the lease by now', async () => {
    const done: string[] = [];
    const storage: Pick<Storage, 'now' | 'lock' | 'put'> = {
      now: () => new Date(0),
      lock: async ({ key }) => void done.push(`lock ${key}`),
      put: async (key) => {
        done.push(`put ${key}`);
        return { etag: '', version: null };
      },
    };
    const { object } = exampleManifest('20261126T020000Z');
    const ways = { lock: { mode: 'GOVERNANCE' as const, ms: 1_000 } };
    const lost = (): Promise<void> => Promise.reject(new UserError('Another run has taken the lease over'));
    const write = (stillHeld: () => Promise<void>) =>
      writeStored(storage, 'manifest.json', [object], { ways, stillHeld }, {});
    await expect(write(lost)).rejects.toThrow('Another run has taken the lease over');
    expect(done).toEqual([]);
    await write(async () => undefined);
    expect(done).toEqual([`lock ${object.key}`, 'put manifest.json']);
  });
});

describe('removal', () => {
  const LOST = 'Another run has taken the lease over: nothing was removed';
  const stored = async () => readStored(bucketOf({ old: [10, 'a'] }), keys, read);
  /** A bucket that tells what was done to it, and a lease that somebody else may have. */
  const placeOf = (held: boolean) => {
    const done: string[] = [];
    const storage = {
      removeVersions: async (what: readonly { readonly key: string }[]) => {
        done.push(...what.map(({ key }) => key));
        return [];
      },
      uploads: async () => [{ key: 'begun', id: 'u', initiated: new Date(0) }],
      openUpload: (key: string) => ({ abort: async () => void done.push(`ended ${key}`) }) as never,
    };
    const stillHeld = async (otherwise: string): Promise<void> => {
      if (!held) throw new UserError(`Another run has taken the lease over: ${otherwise}`);
    };
    return { done, storage, stillHeld };
  };

  it('of what the rules no longer keep is not begun when another run has the lease by now', async () => {
    const { backups } = await stored();
    const [lost, held] = [placeOf(false), placeOf(true)];
    await expect(removeStored(lost, keys, backups, ['old'])).rejects.toThrow(LOST);
    expect(lost.done).toEqual([]);
    await removeStored(held, keys, backups, ['old']);
    expect(held.done).toEqual([keys.manifest('old'), keys.data('old', false)]);
  });

  it('of nothing asks nobody', async () => {
    const { backups } = await stored();
    expect(await removeStored(placeOf(false), keys, backups, [])).toEqual([]);
  });

  it('of what an earlier run left is not begun when another run has the lease by now', async () => {
    const [lost, held] = [placeOf(false), placeOf(true)];
    await expect(readAndClear(lost, keys, stored)).rejects.toThrow(LOST);
    expect(lost.done).toEqual([]);
    expect((await readAndClear(held, keys, stored)).cleared).toHaveLength(1);
    expect(held.done).toEqual(['ended begun']);
  });
});
