import { UserError, type Stack } from '@perlstack/stack';
import type { PostgresLine } from '../print/postgresql.js';

type Durability = NonNullable<Stack['tiers']['database']>['durability'];

/**
 * Who has to have a transaction before its commit is answered. All members are named on all hosts: whoever is primary
 * is not its own standby, so that the list needs no change after a failover.
 *
 * @throws UserError when there is nobody to wait for.
 */
export function durabilitySettings(durability: Durability, members: readonly string[]): PostgresLine[] {
  return [
    ['Durability', null],
    ['synchronous_commit', 'on'],
    ['synchronous_standby_names', standbyNames(durability, members)],
  ];
}

function standbyNames(durability: Durability, members: readonly string[]): string {
  if (durability === 'async') return '';
  if (members.length < 2) {
    throw new UserError(
      `tiers.database.durability: ${durability} waits for a replica at every commit, and there is none with ` +
        `${members.length} host; give tiers.database a count of 2 or more, or write durability: async`,
    );
  }
  const names = members.map((name) => `"${name}"`).join(', ');
  return durability === 'sync' ? `FIRST 1 (${names})` : `ANY ${majority(members) - 1} (${names})`;
}

const majority = (members: readonly string[]): number => Math.floor(members.length / 2) + 1;

/** What a durability loses, and when it makes the application wait, as a sentence for the plan. */
export function durabilityNote(durability: Durability, members: readonly string[]): string {
  const [first = 'the database'] = members;
  if (members.length < 2) {
    return `database: one host, no replica: if ${first} is lost, all since the last backup is lost with it`;
  }
  const copies = majority(members);
  return {
    async:
      'database: durability async: no commit waits for a replica; if the primary is lost, commits that no replica ' +
      'had received yet are lost, though they were answered',
    sync:
      'database: durability sync: an answered commit is on the primary and on one replica, and is lost only with ' +
      'both; while no replica follows, every commit waits',
    quorum:
      `database: durability quorum: an answered commit is on ${copies} of ${members.length} hosts; while fewer than ` +
      `${copies} of them run, every commit waits`,
  }[durability];
}
