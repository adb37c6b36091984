import { describe, expect, it } from '@jest/globals';
import { missingFrom, obstacle } from './requirements.js';

describe('obstacle', () => {
  it('finds none for root on a Debian machine', () => {
    expect(obstacle({ platform: 'linux', uid: 0, hasApt: true })).toBeNull();
  });

  it.each([
    [{ platform: 'darwin', uid: 0, hasApt: false }, /need Linux and this is darwin/],
    [{ platform: 'linux', uid: 0, hasApt: false }, /Debian or Ubuntu/],
    [{ platform: 'linux', uid: 1000, hasApt: true }, /need root/],
  ])('says what is wrong and what still works (%#)', (machine, what) => {
    expect(obstacle(machine)).toMatch(what);
    expect(obstacle(machine)).toContain('API in memory');
  });
});

describe('missingFrom', () => {
  it('counts a package that was removed, or never heard of, as missing', () => {
    const answer = 'iproute2 installed\nnftables config-files\n';
    expect(missingFrom(['iproute2', 'nftables', 'mmdebstrap'], answer)).toEqual(['nftables', 'mmdebstrap']);
  });
});
