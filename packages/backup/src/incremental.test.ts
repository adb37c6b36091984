import { describe, expect, it } from '@jest/globals';
import { chainOf, chooseParent } from './incremental.js';
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

describe('chooseParent', () => {
  it('is the newest, until a full one is due', () => {
    expect(chooseParent({ backups }, source, 17, present, 4)).toEqual(third);
    expect(chooseParent({ backups }, source, 17, present, 3)).toBeNull();
    expect(chooseParent({ backups }, source, 17, present, 1)).toBeNull();
  });
  it.each([
    ['before PostgreSQL 17', source, 16, present],
    ['of another cluster', { ...source, systemId: '8' }, 17, present],
    ['after a promotion', { ...source, timeline: 2 }, 17, present],
    ['whose manifest is on another host', source, 17, present.slice(0, 2)],
  ] as const)('is none %s', (_, seen, version, there) =>
    expect(chooseParent({ backups }, seen, version, there, 9)).toBeNull(),
  );
  it('is none without backups', () => expect(chooseParent({ backups: [] }, source, 17, [], 9)).toBeNull());
});
