import { REDIS, SENTINEL, type RedisSpec } from '@perlstack/configs';
import type { Engine, Member } from '@perlstack/engine';
import type { Handlers, StepContext } from '@perlstack/procedure';
import type { Remote } from '@perlstack/remote';
import { UserError } from '@perlstack/stack';
import { memberOf, runOn, untilGood } from './hands.js';
import { linkState } from './link.js';
import { look } from './look.js';
import { planRedis } from './plan-redis.js';
import { findPrimary, nameOf } from './primary.js';
import { HANDOVER_SCRIPT, LINK_SCRIPT, SEED_SCRIPT, UNSEED_SCRIPT } from './scripts.js';
import type { HostSeen } from './seen.js';
import type { RedisSeedStep, RedisStep } from './step.js';

/** The first copy of much data takes its time, in milliseconds. */
const FOLLOW_MS = 15 * 60_000;

/** A Redis primary and its replicas: who leads is never decided here, but asked. */
export const redisEngine: Engine<RedisSpec, HostSeen, RedisStep> = {
  kind: 'redis',
  observe: async (remote, members, { signal }) => {
    const [first] = members;
    return first ? look(remote, first.spec, { signal }) : {};
  },
  plan: planRedis,
  handlers: handlersOf,
};

function handlersOf(remote: Remote, members: readonly Member<RedisSpec>[]): Handlers<RedisStep> {
  const link = (step: RedisStep, context: StepContext): Promise<string> => {
    const { spec } = memberOf(members, step);
    const args = [spec.passwordFile, String(spec.port)];
    return runOn(remote, step, context, { text: LINK_SCRIPT, args, name: 'asking Redis' });
  };
  return {
    'redis-seed': {
      run: async (step, context) => {
        const { spec } = memberOf(members, step);
        if (!step.fresh) await assertStillPrimary(remote, spec, step.primary, context);
        const call = {
          text: SEED_SCRIPT,
          args: [spec.liveFile, 'redis', 'redis'],
          name: 'making the live file',
        };
        return runOn(remote, step, context, { ...call, input: seedOf(spec, step) });
      },
      undo: (step, context) => {
        const args = [
          memberOf(members, step).spec.liveFile,
          'redis',
          REDIS.unit,
          step.primary === null ? 'primary' : 'replica',
        ];
        return runOn(remote, step, context, { text: UNSEED_SCRIPT, args, name: 'removing the live file' });
      },
    },
    'redis-follow': {
      run: async (step, context) => {
        await untilGood(step, context, FOLLOW_MS, async () => linkState(await link(step, context)));
      },
    },
    'redis-handover': {
      run: (step, context) => {
        const { spec } = memberOf(members, step);
        const args = [spec.passwordFile, String(spec.port), String(SENTINEL.port), spec.service];
        return runOn(remote, step, context, { text: HANDOVER_SCRIPT, args, name: 'handing over' });
      },
    },
  };
}

/** The first lines of a file that Redis goes on with. */
function seedOf({ port }: RedisSpec, { primary }: RedisSeedStep): string {
  return primary === null ? '' : `replicaof ${primary} ${port}\n`;
}

/** Between the plan and its execution a failover may have come. */
export async function assertStillPrimary(
  remote: Remote,
  cluster: Pick<RedisSpec, 'members' | 'service'>,
  primary: string | null,
  { signal }: StepContext,
): Promise<void> {
  const finding = findPrimary(cluster.members, await look(remote, cluster, { signal }));
  if (primary === null || (finding.kind !== 'unclear' && finding.primary === primary)) return;
  throw new UserError(`cache: ${nameOf(cluster.members, primary)} is not the primary any more: run again`);
}
