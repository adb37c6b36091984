import { describe, expect, it } from '@jest/globals';
import type { LinodeType } from '@perlstack/linode';
import { billOf } from './bill.js';
import { describeType, dollars, typeFacts } from './prices.js';

const type = (price: LinodeType['price'], region_prices: LinodeType['region_prices'] = []) =>
  ({ id: 'g8-dedicated-4-2', memory: 4096, vcpus: 2, price, region_prices }) as unknown as LinodeType;

describe('typeFacts', () => {
  it.each<[string, LinodeType, number | null]>([
    ['the price by the month', type({ hourly: 0.036, monthly: 24 }), 24],
    [
      'the price of the region',
      type({ hourly: 0.036, monthly: 24 }, [{ id: 'br-gru', hourly: 0.05, monthly: 33.6 }]),
      33.6,
    ],
    ['730 hours where there is no price by the month', type({ hourly: 0.07, monthly: null }), 51.1],
    ['no price at all', type({ hourly: null, monthly: null }), null],
  ])('%s', (_, one, monthly) => {
    expect(typeFacts(one, 'br-gru').monthly).toBe(monthly);
  });
});

it('describes a type in one breath', () => {
  expect(describeType(typeFacts(type({ hourly: 0.07, monthly: null }), 'us-ord'))).toBe(
    'g8-dedicated-4-2 (2 vCPU, 4 GB, $51.10 a month)',
  );
  expect([dollars(-48), dollars(0.5), dollars(null)]).toEqual(['-$48', '$0.50', 'price unknown']);
});

it('adds up the bill without the errors of floating point, and counts what has no price', () => {
  const line = (change: 'create' | 'keep' | 'delete', monthly: number | null) => ({
    label: 'x',
    tier: 'app',
    type: 't',
    change,
    monthly,
  });
  const lines = [
    line('create', 0.1),
    line('create', 0.2),
    line('keep', 5),
    line('delete', 24),
    line('keep', null),
  ];
  expect(billOf(lines)).toMatchObject({ before: 29, after: 5.3, delta: -23.7, unpriced: 1 });
});
