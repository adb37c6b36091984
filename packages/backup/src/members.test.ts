import { describe, expect, it } from '@jest/globals';
import { assertArchives, chooseSource } from './members.js';
import { exampleMember } from './testing.js';

const member = exampleMember;
const primary = member('database-1', { inRecovery: false, streaming: false, lsn: '0/6000000' });

describe('chooseSource', () => {
  it('takes the replica that is least behind', () => {
    const choice = chooseSource(
      [primary, member('database-2'), member('database-3', { lsn: '0/5800000' })],
      'auto',
    );
    expect(choice).toMatchObject({ source: { host: 'database-3' }, lagBytes: 0x800000 });
  });
  it.each([
    ['does not stream', { streaming: false }],
    ['is of another cluster', { systemId: '8' }],
  ])('leaves out a replica that %s', (_, more) =>
    expect(chooseSource([primary, member('database-2', more)], 'auto').source.host).toBe('database-1'),
  );
  it('leaves out a replica that is far behind', () =>
    expect(chooseSource([{ ...primary, lsn: '1/6000000' }, member('database-2')], 'auto').source.host).toBe(
      'database-1',
    ));
  it('takes the one that is asked for, or says why not', () => {
    expect(chooseSource([primary, member('database-2')], 'primary').source.host).toBe('database-1');
    expect(() => chooseSource([primary, member('database-2', { streaming: false })], 'database-2')).toThrow(
      /database-2 is not a replica that streams/,
    );
  });
  it('refuses without a primary, and with two', () => {
    expect(() =>
      chooseSource([member('database-2'), { host: 'database-1', fault: 'is off' }], 'auto'),
    ).toThrow('No primary answers (database-1: is off)');
    expect(() => chooseSource([primary, { ...primary, host: 'database-2' }], 'auto')).toThrow(
      'database-1 and database-2 both take writes',
    );
  });
});

describe('assertArchives', () => {
  it('wants our program', () => {
    expect(() => assertArchives(primary)).not.toThrow();
    expect(() => assertArchives({ ...primary, archiveMode: 'off' })).toThrow(/archive_mode is off/);
    expect(() => assertArchives({ ...primary, archiveCommand: 'true' })).toThrow(
      /archive_command is not that of this stack, .*; run apply-configs with allow-restart/,
    );
    const altered = { archiveCommand: '', archiveAltered: ['archive_command'] };
    expect(() => assertArchives({ ...primary, ...altered })).toThrow(
      /archive_command is not .*; ALTER SYSTEM set archive_command there, over what the stack has/,
    );
  });
});
