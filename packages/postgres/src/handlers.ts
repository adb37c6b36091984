import { postgresLayout } from '@perlstack/configs';
import { type Handler, type Handlers, until } from '@perlstack/procedure';
import type { Remote } from '@perlstack/remote';
import { UserError } from '@perlstack/stack';
import { cloneHandler } from './clone.js';
import { followHandler } from './follow.js';
import { type Hands, handsOf, type PostgresMember } from './hands.js';
import { lacking } from './lacking.js';
import { makeSql } from './make-sql.js';
import { INIT_SCRIPT, SETTLE_SCRIPT, SETTLED_SCRIPT, UNDO_SCRIPT } from './scripts.js';
import { literal } from './sql.js';
import type { InitStep, PostgresStep, RestartStep, RolesStep, SettleStep } from './step.js';

const MINUTES = 60_000;

/** What each kind of step does to its host. */
export function handlers(remote: Remote, members: readonly PostgresMember[]): Handlers<PostgresStep> {
  const hands = handsOf(remote, members);
  return {
    'postgresql-init': initHandler(hands),
    'postgresql-roles': rolesHandler(hands),
    'postgresql-clone': cloneHandler(hands),
    'postgresql-follow': followHandler(hands),
    'postgresql-settle': settleHandler(hands),
    'postgresql-restart': restartHandler(hands),
  };
}

function initHandler(hands: Hands): Handler<InitStep> {
  return {
    run: async ({ host }, { signal }) => {
      const { spec } = hands.member(host);
      const args = [postgresLayout(spec.version).programs, spec.dataDirectory];
      await hands.script(host, INIT_SCRIPT, args, { name: 'initdb', signal, timeoutMs: 10 * MINUTES });
      return 'made, with data checksums';
    },
    undo: async ({ host }, { signal }) => {
      const { spec } = hands.member(host);
      const args = [spec.dataDirectory, spec.unit];
      await hands.script(host, UNDO_SCRIPT, args, { name: 'taking the cluster back', signal });
    },
  };
}

function rolesHandler(hands: Hands): Handler<RolesStep> {
  const what = async (step: RolesStep, signal: AbortSignal) =>
    lacking(hands.member(step.host).spec, step.host, await hands.primary(step.host, { signal }));
  return {
    check: async (step, { signal }) => {
      const { spec } = hands.member(step.host);
      const argv = ['sh', '-c', SETTLED_SCRIPT, 'settled', spec.dataDirectory];
      const { code } = await hands.remote.run(step.host, argv, { sudo: true, signal, okCodes: [0, 1] });
      return code === 0 && (await what(step, signal)).length === 0;
    },
    run: async (step, context) => {
      const { spec } = hands.member(step.host);
      const missing = await what(step, context.signal);
      if (missing.length > 0) await hands.query(step.host, makeSql(spec, step.host), context);
      const left = await what(step, context.signal);
      if (left.length > 0)
        throw new Error(`${step.host}: still missing: ${left.map(({ target }) => target).join(', ')}`);
      const options = { name: 'settling', signal: context.signal };
      await hands.script(step.host, SETTLE_SCRIPT, [spec.dataDirectory], options);
      return missing.map(({ target }) => target).join(', ');
    },
  };
}

const LIMIT_MS = 120_000;

/** So that a replica is restarted only when it knows its primary's new limits, and a run ends with all following. */
function settleHandler(hands: Hands): Handler<SettleStep> {
  const waiting = async (step: SettleStep, lsn: string, signal: AbortSignal): Promise<string[]> => {
    const sql = `SELECT application_name FROM pg_stat_replication WHERE replay_lsn >= ${literal(lsn)};\n`;
    const there = (await hands.query(step.host, sql, { signal })).split('\n');
    return step.replicas.filter((replica) => !there.includes(replica));
  };
  return {
    run: async (step, context) => {
      const { signal } = context;
      const { lsn } = await hands.primary(step.host, { signal });
      const haveAll = async (): Promise<true | string> =>
        (await waiting(step, lsn, signal)).join(', ') || true;
      const left = await until(haveAll, {
        limitMs: LIMIT_MS,
        signal,
        say: (who) => context.progress(`waits for ${who}`),
      });
      if (left === null) return;
      throw new UserError(
        `${left}: did not replay what ${step.host} wrote within ${LIMIT_MS / 1_000} s after its restart; run this ` +
          'again when replication has caught up',
      );
    },
  };
}

/** Restarts a server, and waits until it answers. */
function restartHandler(hands: Hands): Handler<RestartStep> {
  return {
    check: async ({ host }, context) => (await hands.look(host, context)).server?.pendingRestart.length === 0,
    run: async ({ host }, { signal }) => {
      const { spec } = hands.member(host);
      const options = { name: 'restarting postgresql', sudo: true, signal, timeoutMs: 10 * MINUTES };
      await hands.remote.run(host, ['systemctl', 'restart', spec.unit], options);
      const answers = async (): Promise<true | string> =>
        (await hands.look(host, { signal })).server !== null || 'no answer';
      if ((await until(answers, { limitMs: LIMIT_MS, signal })) === null) return 'restarted';
      throw new UserError(
        `${host}: PostgreSQL does not answer ${LIMIT_MS / 1_000} s after its restart; see /var/log/postgresql`,
      );
    },
  };
}
