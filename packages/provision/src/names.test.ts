import { describe, expect, it } from '@jest/globals';
import { generateKeyPair, fingerprint } from '@perlstack/remote';
import { TIERS } from '@perlstack/stack';
import {
  fingerprintsOf,
  fingerprintTag,
  firewallLabel,
  hasStackTags,
  linodeLabel,
  parseLabel,
  placementLabel,
  tierTags,
  withFingerprints,
} from './names.js';

describe('labels', () => {
  it.each([
    ['shop-web-1', { tier: 'web', number: 1 }],
    ['shop-app-250', { tier: 'app', number: 250 }],
    ['shop-web-0', null],
    ['shop-web-01', null],
    ['shop-web', null],
    ['shop-worker-1', null],
    ['workshop-web-1', null],
    ['shop-web-web-1', null],
  ])('%s', (label, place) => {
    expect(parseLabel('shop', label)).toEqual(place);
  });

  it('keep to what Linode allows, for the longest name of a stack too', () => {
    const stack = 's'.repeat(20);
    for (const tier of TIERS) {
      expect(firewallLabel(stack, tier).length).toBeLessThanOrEqual(32);
      expect(placementLabel(stack, tier).length).toBeLessThanOrEqual(64);
      expect(linodeLabel(stack, tier, 250).length).toBeLessThanOrEqual(64);
      for (const tag of tierTags(stack, tier)) expect(tag.length).toBeLessThanOrEqual(50);
    }
  });
});

describe('tags', () => {
  it('belong to a stack only both together', () => {
    expect(hasStackTags('shop', ['perlstack', 'stack:shop', 'mine'])).toBe(true);
    expect(hasStackTags('shop', ['stack:shop'])).toBe(false);
    expect(hasStackTags('shop', ['perlstack', 'stack:shop2'])).toBe(false);
  });

  it('hold a fingerprint, and give it back', () => {
    for (let round = 0; round < 50; round += 1) {
      const print = fingerprint(generateKeyPair().publicKey);
      expect(fingerprintTag(print)).toMatch(/^sshfp:[A-Za-z0-9_-]{43}$/);
      expect(fingerprintsOf(['mine', fingerprintTag(print), 'sshfp:too-short'])).toEqual([print]);
    }
  });

  it('change their fingerprints and nothing else', () => {
    const print = `SHA256:${'a'.repeat(42)}/`;
    expect(withFingerprints(['mine', `sshfp:${'b'.repeat(43)}`], [print])).toEqual([
      'mine',
      `sshfp:${'a'.repeat(42)}_`,
    ]);
  });
});
