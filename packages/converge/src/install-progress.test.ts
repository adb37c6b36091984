import { describe, expect, it } from '@jest/globals';
import { installProgress } from './install-progress.js';

describe('installProgress', () => {
  it('speaks at every quarter of the way', () => {
    const told: string[] = [];
    const read = installProgress((message) => told.push(message));
    read('Reading package lists...');
    read('1 upgraded, 7 newly installed, 0 to remove and 3 not upgraded.');
    read('Get:1 file:/packages ./ perl 5.40.1 [268 kB]');
    for (let one = 0; one < 8; one += 1) read(`Setting up package-${one} (1.0) ...`);
    expect(told).toEqual(['2 of 8 packages', '4 of 8 packages', '6 of 8 packages', '8 of 8 packages']);
  });

  it('speaks once about a single package', () => {
    const told: string[] = [];
    const read = installProgress((message) => told.push(message));
    read('0 upgraded, 1 newly installed, 0 to remove and 0 not upgraded.');
    read('Setting up nginx (1.26.3) ...');
    expect(told).toEqual(['1 of 1 packages']);
  });
});
