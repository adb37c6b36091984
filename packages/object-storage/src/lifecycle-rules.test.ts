import { describe, expect, it } from '@jest/globals';
import {
  abortRule,
  compareRules,
  type LifecycleRule,
  prefixOf,
  touchesObjects,
  withAbortRule,
  writable,
} from './lifecycle-rules.js';

const expire = (more: Partial<LifecycleRule> = {}): LifecycleRule => ({
  ...{ ID: 'old', Status: 'Enabled', Filter: { Prefix: 'logs/' }, Expiration: { Days: 30 } },
  ...more,
});

describe('compareRules', () => {
  it('finds a condition that was dropped, by which a rule would remove everything', () => {
    const written = expire({ Filter: { And: { Prefix: 'logs/', ObjectSizeGreaterThan: 1_000 } } });
    expect(compareRules([written], [expire()])).toEqual([
      'rule old: Filter.ObjectSizeGreaterThan was dropped',
    ]);
  });

  it.each([
    ['a prefix beside the filter', expire({ Filter: undefined, Prefix: 'logs/' })],
    ['a condition alone', expire({ Filter: { And: { Prefix: 'logs/' } } })],
    ['what is not so', expire({ Expiration: { Days: 30, ExpiredObjectDeleteMarker: false } })],
  ])('takes %s for the same', (_what, kept) => {
    expect(compareRules([expire()], [kept])).toEqual([]);
  });

  it('takes tags in any order, and in either place, for the same', () => {
    const tags = [
      { Key: 'a', Value: '1' },
      { Key: 'b', Value: '2' },
    ];
    const both = (Tags: typeof tags): LifecycleRule => expire({ Filter: { And: { Tags } } });
    expect(compareRules([both(tags)], [both([...tags].reverse())])).toEqual([]);
    expect(compareRules([expire({ Filter: { Tag: tags[0] } })], [both(tags.slice(0, 1))])).toEqual([]);
    expect(compareRules([both(tags)], [both(tags.slice(0, 1))])).toEqual([
      'rule old: Filter.Tag b was dropped',
    ]);
  });

  it('takes no prefix and an empty one for the same', () => {
    expect(compareRules([expire({ Filter: { Prefix: '' } })], [expire({ Filter: {} })])).toEqual([]);
  });

  it('names a value that changed, a rule that is gone, and one that came', () => {
    expect(compareRules([expire()], [expire({ Status: 'Disabled' })])).toEqual([
      'rule old: Status is Disabled instead of Enabled',
    ]);
    expect(compareRules([expire()], [])).toEqual(['rule old is not there']);
    expect(compareRules([], [expire()])).toEqual(['rule old was added']);
  });

  it('knows a rule without a name by what it says, whatever name the storage gave it', () => {
    const nameless = expire({ ID: undefined });
    expect(compareRules([nameless], [expire({ ID: 'made-up' })])).toEqual([]);
    expect(compareRules([nameless], [expire({ ID: 'made-up', Expiration: { Days: 1 } })])).toEqual([
      'rule for logs/ is not there',
      'rule made-up was added',
    ]);
  });

  it('compares days, dates and lists of transitions', () => {
    const moves = (Days: number): LifecycleRule =>
      expire({ Transitions: [{ Days, StorageClass: 'GLACIER' }], Expiration: { Date: new Date(0) } });
    expect(compareRules([moves(1)], [moves(1)])).toEqual([]);
    expect(compareRules([moves(1)], [moves(2)])).toEqual(['rule old: Transitions.0.Days is 2 instead of 1']);
  });
});

describe('writable', () => {
  it('puts conditions that stand beside each other together', () => {
    const [a, b] = [
      { Key: 'a', Value: '1' },
      { Key: 'b', Value: '2' },
    ];
    const shown = expire({ Filter: { Prefix: 'x/', And: { Tags: [b] } } });
    const written = expire({ Filter: { And: { Prefix: 'x/', Tags: [b] } } });
    expect(writable(shown)).toEqual(written);
    expect(compareRules([written], [shown])).toEqual([]);
    expect(writable(expire({ Filter: { Prefix: 'x/', Tag: b } }))).toEqual(written);
    expect(writable(expire({ Filter: { Tag: a, And: { Prefix: 'x/', Tags: [b] } } }))).toEqual(
      expire({ Filter: { And: { Prefix: 'x/', Tags: [a, b] } } }),
    );
  });

  it('leaves every other rule as it is', () => {
    for (const rule of [
      expire(),
      expire({ Filter: undefined, Prefix: 'a/' }),
      expire({ Filter: { And: { Prefix: 'x/' } } }),
    ])
      expect(writable(rule)).toBe(rule);
  });
});

describe('withAbortRule', () => {
  it('adds one rule and leaves the others as they are', () => {
    const there = [expire({ Prefix: 'x', Filter: undefined })];
    expect(withAbortRule(there, 'shop/', 2)).toEqual([there[0], abortRule('shop/', 2)]);
  });

  it('replaces its own of other days', () => {
    expect(withAbortRule([abortRule('shop/', 7), expire()], 'shop/', 2)).toEqual([
      expire(),
      abortRule('shop/', 2),
    ]);
    expect(withAbortRule([abortRule('shop/', 1)], 'shop/', 2)).toEqual([abortRule('shop/', 2)]);
  });

  it.each([
    ['its own', abortRule('shop/', 2)],
    ['a stricter one', { ...abortRule('shop/', 1), ID: 'theirs' }],
    ['one for the whole bucket', { ...abortRule('', 2), ID: 'theirs' }],
  ])('changes nothing when there is %s', (_what, rule) => {
    const there = [expire(), rule];
    expect(withAbortRule(there, 'shop/', 2)).toBe(there);
  });

  it.each([
    ['is slower', { ...abortRule('shop/', 3), ID: 'theirs' }],
    ['is off', { ...abortRule('shop/', 2), ID: 'theirs', Status: 'Disabled' as const }],
    ['is for a part of it', { ...abortRule('shop/base/', 2), ID: 'theirs' }],
    [
      'has another condition',
      { ...abortRule('shop/', 2), ID: 'theirs', Filter: { And: { Prefix: 'shop/', ObjectSizeLessThan: 9 } } },
    ],
  ])('adds its own when the one that is there %s', (_what, rule) => {
    expect(withAbortRule([rule], 'shop/', 2)).toEqual([rule, abortRule('shop/', 2)]);
  });
});

describe('a rule', () => {
  it('says which keys it is about', () => {
    expect(
      [expire(), expire({ Filter: {} }), expire({ Filter: undefined, Prefix: 'a/' })].map(prefixOf),
    ).toEqual(['logs/', '', 'a/']);
  });

  it('touches objects unless it only forgets uploads', () => {
    expect(touchesObjects(abortRule('shop/', 1))).toBe(false);
    expect(touchesObjects(expire())).toBe(true);
    expect(
      touchesObjects({ ...abortRule('shop/', 1), NoncurrentVersionExpiration: { NoncurrentDays: 1 } }),
    ).toBe(true);
  });
});
