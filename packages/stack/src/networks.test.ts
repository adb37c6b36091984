import { describe, expect, it } from '@jest/globals';
import { mergeNetworks, networkOfOne } from './networks.js';

describe('mergeNetworks', () => {
  it.each<[string, string[], string[]]>([
    ['keeps what lies apart', ['10.1.0.0/16', '10.2.0.0/16'], ['10.1.0.0/16', '10.2.0.0/16']],
    ['drops doubles', ['10.1.0.0/16', '10.1.0.0/16'], ['10.1.0.0/16']],
    ['drops what lies in another', ['10.1.2.3/32', '10.1.0.0/16', '10.1.2.0/24'], ['10.1.0.0/16']],
    ['clears host bits', ['10.1.2.3/24', '2001:DB8::7/32'], ['10.1.2.0/24', '2001:db8::/32']],
    ['clears bits in the middle of a byte', ['10.1.255.3/20', '10.1.240.9/32'], ['10.1.240.0/20']],
    [
      'knows the networks that hold all',
      ['0.0.0.0/0', '10.0.0.0/8', '::/0', 'fd00::1/128'],
      ['0.0.0.0/0', '::/0'],
    ],
    ['keeps the families apart', ['::/0', '10.0.0.0/8'], ['::/0', '10.0.0.0/8']],
    ['has nothing to say of nothing', [], []],
  ])('%s', (_what, networks, merged) => expect(mergeNetworks(networks)).toEqual(merged));

  it('gives the same networks whatever the order', () => {
    const networks = ['10.0.0.0/9', '10.200.0.0/16', '10.200.7.0/24', '10.1.1.1/32', '192.0.2.1/32'];
    const expected = ['10.0.0.0/9', '10.200.0.0/16', '192.0.2.1/32'];
    expect(mergeNetworks(networks)).toEqual(expected);
    expect(mergeNetworks([...networks].reverse())).toEqual([...expected].reverse());
  });

  it('refuses what is no network', () => {
    expect(() => mergeNetworks(['10.0.0.0'])).toThrow();
    expect(() => mergeNetworks(['10.0.0.0/33'])).toThrow();
  });
});

describe('networkOfOne', () => {
  it.each([
    ['192.0.2.7', '192.0.2.7/32'],
    ['2001:db8::7', '2001:db8::7/128'],
  ])('%s is %s', (address, network) => expect(networkOfOne(address)).toBe(network));
});
