import { describe, expect, it } from '@jest/globals';
import { faultsIn } from './verify-output.js';

// As 2.55 prints them, with and without --verbose.
const SOUND = `stanza: shop
status: ok
  archiveId: 17-1, total WAL checked: 9, total valid WAL: 9
    missing: 0, checksum invalid: 0, size invalid: 0, other: 0
  backup: 20261127-165214F, status: valid, total files checked: 966, total valid files: 966
    missing: 0, checksum invalid: 0, size invalid: 0, other: 0
  backup: 20261127-165217F, status: in-progress
`;
const DAMAGED = `stanza: shop
status: error
  archiveId: 17-1, total WAL checked: 9, total valid WAL: 8
    missing: 0, checksum invalid: 0, size invalid: 0, other: 1
  backup: 20261127-165217F, status: invalid, total files checked: 966, total valid files: 963
    checksum invalid: 1, missing: 2
  backup: 20261127-165219F, status: manifest missing, total files checked: 0, total valid files: 0
`;

describe('faultsIn', () => {
  it.each(['', SOUND])('finds none where all is as it was stored', (text) =>
    expect(faultsIn(text)).toEqual([]),
  );
  it('names what is not', () =>
    expect(faultsIn(DAMAGED)).toEqual([
      'The log 17-1 is not as it was stored: 1 other',
      'Backup 20261127-165217F is not as it was stored: 1 checksum invalid, 2 missing',
      'Backup 20261127-165219F is not as it was stored: manifest missing',
    ]));
  it('is not content with a fault that it does not know', () =>
    expect(faultsIn('stanza: shop\nstatus: error (no archives exist)\n')).toEqual([
      'The repository is not sound: (no archives exist)',
    ]));
});
