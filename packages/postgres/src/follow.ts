import { type Handler, type StepContext, until } from '@perlstack/procedure';
import { UserError } from '@perlstack/stack';
import { connectionTo } from './clone.js';
import type { Hands } from './hands.js';
import { SETTLE_SCRIPT, SETTLED_SCRIPT } from './scripts.js';
import type { PostgresSeen, ReplicaSeen, ServerSeen } from './seen.js';
import { literal, slotOf } from './sql.js';
import { standingOf } from './standing.js';
import type { FollowStep } from './step.js';

/** A replica first replays what it has; after a crash that is what was written since its last checkpoint. */
const LIMIT_MS = 120_000;

/** Waits until a replica streams and its primary sees it, and then removes what it replaced. */
export function followHandler(hands: Hands): Handler<FollowStep> {
  return {
    check: async (step, context) =>
      (await streams(hands, step, context)) !== null && settled(hands, step, context),
    run: async (step, context) => {
      const replica = await untilItStreams(hands, step, context);
      const { spec } = hands.member(step.host);
      const options = { name: 'settling', signal: context.signal };
      const kept = await hands.script(step.host, SETTLE_SCRIPT, [spec.dataDirectory], options);
      return [
        lagOf(step.from, replica),
        ...(kept ? [`its old copy stays in ${kept.split('\n').join(', ')}`] : []),
      ].join('; ');
    },
  };
}

const lagOf = (from: string, { lagBytes }: ReplicaSeen): string =>
  `streams from ${from}, ${lagBytes === null ? 'lag not known yet' : `${lagBytes.toLocaleString('en')} bytes behind`}`;

async function settled(hands: Hands, { host }: FollowStep, { signal }: StepContext): Promise<boolean> {
  const args = ['-c', SETTLED_SCRIPT, 'settled', hands.member(host).spec.dataDirectory];
  const { code } = await hands.remote.run(host, ['sh', ...args], { sudo: true, signal, okCodes: [0, 1] });
  return code === 0;
}

/** The replica as its primary sees it; `null` while one of the two says that it doesn't stream. */
async function streams(hands: Hands, step: FollowStep, context: StepContext): Promise<ReplicaSeen | null> {
  const [own, primary] = await Promise.all([hands.look(step.host, context), hands.look(step.from, context)]);
  return streaming(step, own, primary);
}

function streaming({ host }: FollowStep, own: PostgresSeen, primary: PostgresSeen): ReplicaSeen | null {
  if (own.server?.receiver?.status !== 'streaming') return null;
  return primary.server?.replicas.find(({ name, state }) => name === host && state === 'streaming') ?? null;
}

async function untilItStreams(hands: Hands, step: FollowStep, context: StepContext): Promise<ReplicaSeen> {
  let found: ReplicaSeen | null = null;
  let silence: string | null = null;
  const ask = async (): Promise<true | string> => {
    const [own, server] = await Promise.all([
      hands.look(step.host, context),
      hands.primary(step.from, context),
    ]);
    found = streaming(step, own, { ...own, server });
    if (found) return true;
    assertCanFollow(step, own, server);
    await repoint(hands, step, own, context);
    silence = own.silence;
    return stateOf(step, own, server);
  };
  const say = (state: string): void => context.progress(state);
  const state = await until(ask, { limitMs: LIMIT_MS, signal: context.signal, say });
  if (found) return found;
  throw new UserError(
    `${step.host}: PostgreSQL does not stream from ${step.from} after ${LIMIT_MS / 1_000} s ` +
      `(${silence ?? state}); what it waits for stands in its log in /var/log/postgresql`,
  );
}

function stateOf({ host, from }: FollowStep, own: PostgresSeen, { replicas }: ServerSeen): string {
  if (!own.server) return own.running ? 'recovering' : 'not running';
  const state = replicas.find(({ name }) => name === host)?.state;
  return state === undefined ? `not connected to ${from} yet` : `${state} from ${from}`;
}

/** @throws UserError when waiting is in vain. */
function assertCanFollow({ host, from }: FollowStep, own: PostgresSeen, server: ServerSeen): void {
  const follower = { host, slot: slotOf(host), seen: own };
  const standing = standingOf(follower, { host: from, server, data: null });
  if (standing.kind !== 'behind' && standing.kind !== 'diverged') return;
  throw new UserError(
    `${host}: can't follow ${from} any more: ${standing.why}. Allow it to be made anew (allow-rebuild: ${host})`,
  );
}

/** Points a replica of a former primary at the one that leads now; a reload takes that in. */
async function repoint(
  hands: Hands,
  { host, from }: FollowStep,
  own: PostgresSeen,
  context: StepContext,
): Promise<void> {
  const address = hands.address(from);
  if (!own.server?.inRecovery || own.server.follows === address) return;
  const { role, passfile } = hands.member(host).spec.replication;
  const connection = `${connectionTo(address, hands.member(host).spec.port, role)} passfile=${passfile}`;
  await hands.query(
    host,
    `ALTER SYSTEM SET primary_conninfo = ${literal(connection)};\n` +
      `ALTER SYSTEM SET primary_slot_name = ${literal(slotOf(host))};\nSELECT FROM pg_reload_conf();\n`,
    context,
  );
}
