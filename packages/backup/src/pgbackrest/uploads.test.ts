import { describe, expect, it } from '@jest/globals';
import { abandonedUploads } from './uploads.js';

const FOLDER = 'shop/pgbackrest/';
const at = (hours: number): Date => new Date(hours * 3_600_000);
/** A backup that began at the hour 100, and ends now. */
const span = { folder: FOLDER, begun: at(100), now: at(101) };

describe('abandonedUploads', () => {
  it.each([
    ['of data, from before the backup', 'backup/shop/20261127-020000F/bundle/1', 99, true],
    ['of data, of the backup itself', 'backup/shop/20261127-020000F/bundle/1', 100.5, false],
    ['of data, as good as at the same moment', 'backup/shop/20261127-020000F/bundle/1', 100, false],
    ['of the log, an hour old', 'archive/shop/17-1/0000000100000000/0', 99, false],
    ['of the log, two days old', 'archive/shop/17-1/0000000100000000/0', 53, true],
  ] as const)('%s', (_, key, hour, abandoned) => {
    const upload = { key: `${FOLDER}${key}`, id: 'u', initiated: at(hour) };
    expect(abandonedUploads([upload], span)).toEqual(abandoned ? [upload] : []);
  });

  it('are none of other engines, and none of other stacks', () => {
    const keys = [
      'shop/postgresql/7/base/x/data.tar',
      'shops/pgbackrest/backup/x',
      'shop/pgbackrest-old/backup/x',
    ];
    const uploads = keys.map((key) => ({ key, id: 'u', initiated: at(0) }));
    expect(abandonedUploads(uploads, span)).toEqual([]);
  });
});
