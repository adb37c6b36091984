import { describe, expect, it } from '@jest/globals';
import { keysIn } from '@perlstack/object-storage';
import { keysOf } from './keys.js';
import { bytesKept, type ObjectFacts, readStored, touchedIn } from './stored.js';

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

describe('readStored', () => {
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
