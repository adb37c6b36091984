import { describe, expect, it } from '@jest/globals';
import { keysIn } from '@perlstack/object-storage';
import { bytesKept, touchedIn } from './stored.js';

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
