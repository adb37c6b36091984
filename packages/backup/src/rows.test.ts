import { describe, expect, it } from '@jest/globals';
import { between, compareRows } from './rows.js';

describe('between', () => {
  it('takes both counts of what was there both times', () =>
    expect(
      between({ shop: { 'public.a': 5, 'public.gone': 1 } }, { shop: { 'public.a': 7, 'public.new': 1 } }),
    ).toEqual({ shop: { 'public.a': { least: 5, most: 7 } } }));
});

describe('compareRows', () => {
  const still = { shop: { 'public.a': { least: 100, most: 100 } } };
  const moving = { shop: { 'public.a': { least: 100, most: 200 } } };
  it.each([
    ['as many', still, { shop: { 'public.a': 100 } }, []],
    ['one less', still, { shop: { 'public.a': 99 } }, ['shop: table public.a has 99 rows instead of 100']],
    ['between two counts', moving, { shop: { 'public.a': 150 } }, []],
    ['a little less under load', moving, { shop: { 'public.a': 98 } }, []],
    [
      'much less',
      moving,
      { shop: { 'public.a': 90 } },
      ['shop: table public.a has 90 rows instead of 100 to 200'],
    ],
    ['no table', still, { shop: {} }, ['shop: table public.a is not there']],
    ['no database', still, {}, ['database shop is not there']],
  ])('%s', (_, noted, found, faults) => expect(compareRows(noted, found)).toEqual(faults));
});
