import { describe, expect, it } from '@jest/globals';
import { type Lease, StorageError } from '@perlstack/object-storage';
import { stillHeld } from './lease.js';

const leaseThat = (renew: () => Promise<void>): Lease => ({
  holder: { nonce: 'n', purpose: 'backup', owner: 'a run', since: '', until: '' },
  ...{ renew, release: async () => undefined },
});

describe('stillHeld', () => {
  it('renews the lease', async () => {
    let renewed = 0;
    await stillHeld(
      leaseThat(async () => {
        renewed++;
      }),
      'nothing was removed',
    );
    expect(renewed).toBe(1);
  });
  it('says in one line what it means that another run has it', () =>
    expect(
      stillHeld(
        leaseThat(() => Promise.reject(new StorageError('exists', 'A backup is under way (b)'))),
        'nothing was removed',
      ),
    ).rejects.toMatchObject({
      name: 'UserError',
      message: expect.stringMatching(
        /^Another run has taken the lease over.*minutes: nothing was removed\. A backup is under/,
      ),
    }));
  it('leaves any other failure as it is', () =>
    expect(
      stillHeld(
        leaseThat(() => Promise.reject(new StorageError('denied', 'no'))),
        '',
      ),
    ).rejects.toThrow(/^no$/));
});
