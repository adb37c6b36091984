import { describe, expect, it } from '@jest/globals';
import { assertRestores, chooseDump, planDump } from './plan-restore.js';
import { exampleDump } from './testing.js';

const MANAGED = 'db.example.com:5432';
const DUMPS = [
  exampleDump({ id: '20261126T020000Z', names: ['blog', 'shop'] }),
  exampleDump({ id: '20261127T020000Z', names: ['shop'], selected: ['shop'] }),
  exampleDump({ id: '20261127T030000Z', names: ['shop'], server: MANAGED }),
];

describe('chooseDump', () => {
  const chosen = (more: object, dumps = DUMPS): string =>
    chooseDump(dumps, { id: null, databases: [], server: null, ...more }).manifest.id;

  it('takes the newest of all databases', () => expect(chosen({})).toBe('20261126T020000Z'));
  it('takes one of a choice where there is no other', () =>
    expect(chosen({}, DUMPS.slice(1))).toBe('20261127T020000Z'));
  it('takes the newest that holds what is wanted', () =>
    expect(chosen({ databases: ['shop'] })).toBe('20261127T020000Z'));
  it('takes that of the server', () => expect(chosen({ server: MANAGED })).toBe('20261127T030000Z'));
  it('takes the one that is named, of whatever server', () =>
    expect(chosen({ id: '20261127T030000Z' })).toBe('20261127T030000Z'));

  it.each([
    [{ id: '20260101T000000Z' }, 'Input "backup": there is no whole dump 20260101T000000Z; there is: 2026'],
    [{ server: 'other:1' }, 'The bucket has no whole dump of other:1'],
    [
      { databases: ['shop', 'shoes'] },
      'Input "databases": no dump holds shop and shoes; 20261127T020000Z holds shop',
    ],
  ])('refuses %j', (more, message) => expect(() => chosen(more)).toThrow(message));
});

describe('assertRestores', () => {
  const dump = { id: '20261127T020000Z', postgresql: { major: 15, version: '15.14', program: 17 } };
  it('lets a newer version take it', () =>
    expect(() => assertRestores(dump, 'database-1', 18)).not.toThrow());
  it('refuses an older one, be it that of pg_dump', () =>
    expect(() => assertRestores(dump, 'database-1', 16)).toThrow(
      'Dump 20261127T020000Z is of PostgreSQL 15, made by pg_dump 17, and database-1 has 16: a dump goes to the same version or a newer one',
    ));
});

describe('planDump', () => {
  const dump = exampleDump({ id: '20261126T020000Z', names: ['blog', 'shop'] }).manifest;
  const plan = (more: Partial<Parameters<typeof planDump>[0]>) =>
    planDump({ host: 'database-1', dump, databases: [], there: [], replace: [], ...more });

  it('restores what is absent or empty', () => {
    const { placements, refusals } = plan({ there: [{ name: 'shop', empty: true }] });
    expect(refusals).toEqual([]);
    expect(placements.map(({ temporary, aside, drops }) => [temporary, aside, drops])).toEqual([
      ['perlstack_restore_1', null, false],
      ['perlstack_restore_2', 'shop_replaced_20261126t020000z', true],
    ]);
  });

  it('restores what is wanted alone', () =>
    expect(plan({ databases: ['shop'] }).placements.map(({ database }) => database.name)).toEqual(['shop']));

  it('refuses to write over anything that nobody named', () => {
    const there = [{ name: 'shop', empty: false }];
    expect(plan({ there }).refusals).toEqual([
      'database-1 has a database shop with something in it: name shop in the input "replace", and it is moved aside',
    ]);
    expect(plan({ there, replace: ['shop'] }).refusals).toEqual([]);
  });

  it('refuses a name that is taken, and one that means nothing', () =>
    expect(
      plan({
        there: [
          { name: 'shop', empty: false },
          { name: 'shop_replaced_20261126t020000z', empty: false },
        ],
        replace: ['shop', 'shoes'],
      }).refusals,
    ).toEqual([
      'database-1 has a database shop_replaced_20261126t020000z from an earlier restore of this dump: remove or rename it',
      'Input "replace": "shoes" is none of the databases that are restored',
    ]));

  it('cuts a long name, between characters', () => {
    const long = 'ü'.repeat(31);
    const of = exampleDump({ id: '20261126T020000Z', names: [long] }).manifest;
    const [one] = plan({ dump: of, there: [{ name: long, empty: true }] }).placements;
    expect(one?.aside).toBe(`${'ü'.repeat(18)}_replaced_20261126t020000z`);
  });
});
