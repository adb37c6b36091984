import { postgresLayout } from '@perlstack/configs';
import type { Handler, StepContext } from '@perlstack/procedure';
import { RemoteError } from '@perlstack/remote';
import { UserError } from '@perlstack/stack';
import type { Hands } from './hands.js';
import { dropLostSlotSql, slotSql } from './make-sql.js';
import { cloneProgress } from './progress.js';
import { CLONE_SCRIPT, NO_ROOM, UNDO_SCRIPT } from './scripts.js';
import { slotOf } from './sql.js';
import type { CloneStep } from './step.js';

const HOURS = 3_600_000;

/** What a copy takes: the databases, and the WAL that is written meanwhile. */
const SIZE_SQL = `SELECT (sum(pg_database_size(oid)) * 1.1 / 1024)::bigint + 262144 FROM pg_database;\n`;

/** Makes a replica by a base backup over the primary's replication role; the password stands in a file only. */
export function cloneHandler(hands: Hands): Handler<CloneStep> {
  return {
    run: async (step, context) => {
      await hands.primary(step.from, context);
      await hands.query(step.from, dropLostSlotSql(step.host) + slotSql(step.host), context);
      const needed = await hands.query(step.from, SIZE_SQL, context);
      await copy(hands, step, needed, context).catch(explain(step));
      return `copied from ${step.from}`;
    },
    undo: async ({ host }, { signal }) => {
      const { spec } = hands.member(host);
      const args = [spec.dataDirectory, spec.unit];
      await hands.script(host, UNDO_SCRIPT, args, { name: 'taking the copy back', signal });
    },
  };
}

async function copy(
  hands: Hands,
  { host, from, replaces, starts }: CloneStep,
  needed: string,
  context: StepContext,
): Promise<void> {
  const { spec } = hands.member(host);
  const { role, passfile } = spec.replication;
  const connection = connectionTo(hands.address(from), spec.port, role);
  const input = await hands.passwords(from, context);
  const { programs } = postgresLayout(spec.version);
  const onLine = cloneProgress((message) => context.progress(message));
  await hands.script(
    host,
    CLONE_SCRIPT,
    [
      ...[programs, spec.dataDirectory, spec.unit, connection, slotOf(host), replaces, needed],
      starts ? 'yes' : 'no',
      passfile,
    ],
    { name: 'copying the data', input, signal: context.signal, timeoutMs: 24 * HOURS, onLine },
  );
}

/** A primary that is gone without a word is noticed after about a minute; by default the kernel asks after two hours. */
const KEEPALIVES = { keepalives_idle: '20', keepalives_interval: '10', keepalives_count: '4' };

/** How a member reaches its primary, as libpq reads it; without the file in which the password stands. */
export function connectionTo(address: string, port: number, role: string): string {
  const fields = { host: address, port: String(port), user: role, connect_timeout: '10', ...KEEPALIVES };
  return Object.entries(fields)
    .map(([name, value]) => `${name}=${/^[\w./:-]+$/.test(value) ? value : quoted(value)}`)
    .join(' ');
}

const quoted = (value: string): string => `'${value.replaceAll(/[\\']/g, '\\$&')}'`;

function explain({ host, from }: CloneStep): (error: unknown) => never {
  return (error) => {
    if (!(error instanceof RemoteError) || error.code !== NO_ROOM) throw error;
    throw new UserError(
      `${host}: the disk is too small for a copy of ${from} beside the old one, which is kept because it may hold ` +
        `what ${from} has not: ${error.stderr.trim()}; move the old copy away, or choose a larger disk`,
    );
  };
}
