import { describe, expect, it } from '@jest/globals';
import { ApiFaults } from './faults.js';

describe('ApiFaults', () => {
  it('strike at their rate', () => {
    const draws = [0.4, 0.6];
    const faults = new ApiFaults(
      [{ rate: 0.5, effect: { kind: 'error', status: 500 } }],
      () => draws.shift() ?? 1,
    );
    expect(faults.strike('GET', '/vpcs')).toHaveLength(1);
    expect(faults.strike('GET', '/vpcs')).toHaveLength(0);
  });

  it('strike only what they are about', () => {
    const faults = new ApiFaults([{ method: 'POST', path: /^\/vpcs$/, effect: { kind: 'slow', ms: 1 } }]);
    expect(faults.strike('GET', '/vpcs')).toHaveLength(0);
    expect(faults.strike('POST', '/vpcs/1')).toHaveLength(0);
    expect(faults.strike('POST', '/vpcs')).toEqual([{ kind: 'slow', ms: 1 }]);
  });

  it('keep capacity for the creation of Linodes', () => {
    const faults = new ApiFaults([{ times: 1, effect: { kind: 'capacity', region: 'de-fra-2' } }]);
    expect(faults.strike('POST', '/linode/instances')).toHaveLength(0);
    expect(faults.strikesCapacity('us-ord', 'g6-nanode-1')).toBe(false);
    expect(faults.strikesCapacity('de-fra-2', 'g6-nanode-1')).toBe(true);
    expect(faults.strikesCapacity('de-fra-2', 'g6-nanode-1')).toBe(false);
  });
});
