import type { InputsOf } from '@perlstack/action';
import type { Assertion, Backup, BackupFacts, Cluster, Target } from '@perlstack/backup';
import { hostOfTier } from '@perlstack/backup-face';
import { type Inventory, UserError } from '@perlstack/stack';
import type { declaration } from './declaration.js';

type Inputs = InputsOf<typeof declaration>;

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)$/;

/**
 * Where recovery is to end; `null`: at the point that the chosen backup noted.
 *
 * @throws UserError for anything else
 */
export function targetFrom(text: string): Target | null {
  if (text === 'proof') return null;
  if (text === 'latest' || text === 'backup') return { kind: text };
  if (/^[0-9A-F]{1,8}\/[0-9A-F]{1,8}$/i.test(text)) return { kind: 'lsn', lsn: text.toUpperCase() };
  const at = TIME.test(text) ? new Date(text) : new Date(Number.NaN);
  if (Number.isNaN(+at))
    throw new UserError(
      `Input "target": ${JSON.stringify(text)} is neither proof, latest, backup, a time with its zone such as 2026-11-27T08:30:00Z, nor a position such as 0/5000060`,
    );
  return { kind: 'time', at };
}

/** The point of a backup whose state is known. @throws UserError when the log never reached it */
export function proofOf({ manifest }: Backup<BackupFacts>): Target {
  if (manifest.proof) return { kind: 'lsn', lsn: manifest.proof.lsn, along: 'current' };
  throw new UserError(
    `Backup ${manifest.id} has no point to prove: the log after it did not reach the bucket; use target: backup for its own end, and see why archiving fails`,
  );
}

/** @throws UserError naming the line that is no `database: SELECT …` */
export function assertionsFrom(lines: readonly string[]): Assertion[] {
  return lines.map((line) => {
    const [, database, sql] = /^([A-Za-z_][\w-]*):\s+(\S.*)$/.exec(line) ?? [];
    if (database === undefined || sql === undefined)
      throw new UserError(
        `Input "assertions": ${JSON.stringify(line)} is not "database: SELECT …", such as "shop: SELECT count(*) > 0 FROM orders"`,
      );
    return { database, sql: sql.replace(/;\s*$/, '') };
  });
}

/** @throws UserError for a host that there is not, or that keeps no data */
export function hostFrom(
  wanted: string | undefined,
  usual: string,
  { hosts }: Inventory,
  input: 'host' | 'replace' = 'host',
): string {
  if (wanted === undefined) return usual;
  const names = hosts.filter(({ tier }) => tier === 'database').map(({ name }) => name);
  return hostOfTier(wanted, names, 'database', input);
}

/**
 * The server to restore on: the one that is named, or by what the mode usually does.
 *
 * @param anywhere whether a drill may be on a host of any tier
 */
export function hostFor(
  { host, mode }: Pick<Inputs, 'host' | 'mode'>,
  inventory: Inventory,
  { members }: Cluster,
  anywhere: boolean,
): string {
  if (host !== undefined && mode === 'drill' && anywhere)
    return hostOfTier(
      host,
      inventory.hosts.map(({ name }) => name),
      null,
      'host',
    );
  return hostFrom(host, (mode === 'primary' ? members[0] : members.at(-1)) ?? '', inventory);
}

/** The server whose old data may give way; `null`: nobody's. */
export const replaceFrom = (replace: string | undefined, inventory: Inventory): string | null =>
  replace === undefined ? null : hostFrom(replace, '', inventory, 'replace');

/** @throws UserError where old data are to be made to fit by an engine that cannot do that */
export function assertNoDelta({ delta }: Pick<Inputs, 'delta'>): void {
  if (delta) throw new UserError('Input "delta": only the engine pgbackrest can do that; see backups.engine');
}

/** @throws UserError for a target where there is none */
export function assertModeFits({ mode, target }: Pick<Inputs, 'mode' | 'target'>): void {
  if (mode === 'replica' && target !== 'proof')
    throw new UserError(
      'Input "target": a replica follows its primary and ends nowhere; leave it out, or see mode "primary"',
    );
}
