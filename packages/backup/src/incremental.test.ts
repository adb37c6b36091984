import { describe, expect, it } from '@jest/globals';
import { chainOf, chooseParent, withWholeChains } from './incremental.js';
import type { Broken } from './stored.js';
import { exampleManifest } from './testing.js';

const full = exampleManifest('20261124T020000Z');
const second = exampleManifest('20261125T020000Z', { kind: 'incremental', parent: full.id });
const third = exampleManifest('20261126T020000Z', { kind: 'incremental', parent: second.id });
const backups = [full, second, third].map((manifest) => ({ manifest, bytes: 1 }));
const source = { systemId: '7', timeline: 1 };
const present = backups.map(({ manifest }) => manifest.id);

describe('chainOf', () => {
  it('goes down to the full one', () => expect(chainOf(backups, third)).toEqual([full, second, third]));
  it('fails when one is gone', () =>
    expect(() => chainOf(backups.slice(1), third)).toThrow('which is not whole any more'));
});

const FULL = { parent: null, worry: null };
const broken = (id: string): Broken => ({
  id,
  why: 'its data are not there',
  unfinished: false,
  objects: [],
});
const choose = (some: typeof backups, fullEvery: number, bad: readonly Broken[] = []) =>
  chooseParent({ backups: some, broken: bad }, source, 17, present, fullEvery);

describe('chooseParent', () => {
  it('is the newest, until a full one is due', () => {
    expect(choose(backups, 4)).toEqual({ parent: third, worry: null });
    expect(choose(backups, 3)).toEqual(FULL);
    expect(choose(backups, 1)).toEqual(FULL);
  });
  it.each([
    ['before PostgreSQL 17', source, 16, present],
    ['of another cluster', { ...source, systemId: '8' }, 17, present],
    ['after a promotion', { ...source, timeline: 2 }, 17, present],
    ['whose manifest is on another host', source, 17, present.slice(0, 2)],
  ] as const)('is none %s', (_, seen, version, there) =>
    expect(chooseParent({ backups, broken: [] }, seen, version, there, 9)).toEqual(FULL),
  );
  it('is none without backups', () => expect(choose([], 9)).toEqual(FULL));
  it('is none, which somebody is told, where a later one is broken: the one that is needed must come', () => {
    const left = withWholeChains({ backups: backups.slice(1), broken: [broken(full.id)] });
    expect(left.backups).toEqual([]);
    expect(choose(left.backups, 9, left.broken)).toEqual({
      parent: null,
      worry: `A full backup, because backup ${third.id} is broken: it builds on backup ${second.id}, which is not whole`,
    });
    const before = [{ manifest: exampleManifest('20261120T020000Z'), bytes: 1 }];
    expect(choose(before, 9, left.broken).parent).toBeNull();
    expect(choose(backups, 9, [broken('20261120T020000Z')]).parent).toEqual(third);
    expect(choose(backups, 9, [{ ...broken('20261127T020000Z'), unfinished: true }]).parent).toEqual(third);
  });
});

describe('withWholeChains', () => {
  it('takes for broken what builds on a broken one, through all of the chain', () => {
    const { manifest: other } = { manifest: exampleManifest('20261127T020000Z') };
    const all = [...backups, { manifest: other, bytes: 1 }];
    expect(withWholeChains({ backups: all, broken: [] }).backups).toEqual(all);
    const found = withWholeChains({ backups: all.slice(1), broken: [broken(full.id)] });
    expect(found.backups.map(({ manifest }) => manifest.id)).toEqual([other.id]);
    expect(found.broken.map(({ id, unfinished }) => [id, unfinished])).toEqual([
      [full.id, false],
      [second.id, false],
      [third.id, false],
    ]);
  });
});
