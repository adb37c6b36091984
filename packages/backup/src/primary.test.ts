import { describe, expect, it } from '@jest/globals';
import type { Storage } from '@perlstack/object-storage';
import { keysOf } from './keys.js';
import { chooseCluster, orAbandon } from './primary.js';
import type { ServerRun } from './restore.js';

/** A bucket with manifests of clusters, by their system identifiers. */
function bucketOf(clusters: Readonly<Record<string, readonly string[]>>): Storage {
  const { clusters: root, cluster } = keysOf('shop');
  const storage: Pick<Storage, 'bucket' | 'folders' | 'versions'> = {
    bucket: 'shop-backups',
    folders: async () => Object.keys(clusters).map((id) => `${root}${id}/`),
    versions: async (folder) =>
      Object.entries(clusters)
        .filter(([id]) => cluster(id).bases === folder)
        .flatMap(([id, backups]) =>
          backups.flatMap((one) => [cluster(id).manifest(one), cluster(id).data(one, false)]),
        )
        .map((key) => ({
          ...{ key, markers: [] },
          versions: [{ key, size: 1, etag: '', modified: new Date(0), version: null }],
        })),
  };
  return storage as Storage;
}

describe('chooseCluster', () => {
  const [old, older, empty] = ['20261126T020000Z', '20261125T020000Z', '20261127T020000Z'];
  const bucket = bucketOf({ 7: [old, older], 8: [empty], 9: [] });

  it('takes the one whose backup is the newest, and says what the others have', async () => {
    const said: string[] = [];
    expect(await chooseCluster(bucket, 'shop', null, (words) => said.push(words))).toBe('8');
    expect(said).toEqual([
      expect.stringMatching(new RegExp(`backups of 2 clusters.*others end with ${old}, which`)),
    ]);
  });
  it('takes that of a backup that is named, and says nothing', async () => {
    const said: string[] = [];
    expect(await chooseCluster(bucket, 'shop', older, (words) => said.push(words))).toBe('7');
    expect(await chooseCluster(bucketOf({ 7: [old] }), 'shop', null, (words) => said.push(words))).toBe('7');
    expect(said).toEqual([]);
  });
  it('says that there is none', () =>
    expect(chooseCluster(bucketOf({ 9: [] }), 'shop')).rejects.toThrow(
      'The bucket shop-backups has no whole backup of shop',
    ));
});

/** A run on a host that takes every script, or none. */
function runOn(takes: boolean) {
  const done: string[] = [];
  const run = {
    cluster: { layout: { data: '/data', unit: 'postgresql@17-main' } },
    remote: {
      script: async (host: string, _: string, args: readonly string[]) => {
        done.push(`${host} ${args.join(' ')}`);
        if (!takes) throw new Error('gone');
      },
    },
    say: (line: string) => done.push(line),
  };
  return { done, run: run as unknown as ServerRun };
}

describe('orAbandon', () => {
  it('tells that it begins before it does, and leaves a restore alone that comes to its end', async () => {
    const { done, run } = runOn(true);
    const onBegun = (): void => void done.push('begun');
    await orAbandon(run, 'database-1', { onBegun }, async () => void done.push('work'));
    expect(done).toEqual(['begun', 'work']);
  });
  it.each([
    [true, ['database-1 /data postgresql@17-main /run/perlstack-restore']],
    [
      false,
      [
        'database-1 /data postgresql@17-main /run/perlstack-restore',
        'database-1: what the restore needed is still in /run/perlstack-restore, and goes by itself: gone',
      ],
    ],
  ])('gives one up that fails, and says why it failed (host answers: %s)', async (takes, wanted) => {
    const { done, run } = runOn(takes);
    const work = (): Promise<void> => Promise.reject(new Error('the disk is full'));
    await expect(orAbandon(run, 'database-1', {}, work)).rejects.toThrow('the disk is full');
    expect(done).toEqual(wanted);
  });
});
