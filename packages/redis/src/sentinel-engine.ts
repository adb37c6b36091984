import { SENTINEL, type SentinelSpec } from '@perlstack/configs';
import type { Engine, Member } from '@perlstack/engine';
import type { Handlers } from '@perlstack/procedure';
import type { Remote } from '@perlstack/remote';
import { memberOf, runOn, untilGood } from './hands.js';
import { look } from './look.js';
import { planSentinel } from './plan-sentinel.js';
import { assertStillPrimary } from './redis-engine.js';
import { QUORUM_SCRIPT, SEED_SCRIPT, UNSEED_SCRIPT } from './scripts.js';
import type { HostSeen } from './seen.js';
import type { SentinelStep } from './step.js';

/** Sentinels hear of each other every 2 s, by way of the primary; in milliseconds. */
const QUORUM_MS = 60_000;

const clusterOf = ({ watched, service }: SentinelSpec) => ({ members: watched, service });

/** The Sentinels that watch a Redis primary. */
export const sentinelEngine: Engine<SentinelSpec, HostSeen, SentinelStep> = {
  kind: 'sentinel',
  observe: async (remote, members, { signal }) => {
    const [first] = members;
    return first ? look(remote, clusterOf(first.spec), { signal }) : {};
  },
  plan: planSentinel,
  handlers: handlersOf,
};

function handlersOf(remote: Remote, members: readonly Member<SentinelSpec>[]): Handlers<SentinelStep> {
  return {
    'sentinel-seed': {
      run: async (step, context) => {
        const { spec } = memberOf(members, step);
        if (!step.fresh) await assertStillPrimary(remote, clusterOf(spec), step.primary, context);
        const input = `sentinel monitor ${spec.service} ${step.primary} ${spec.watchedPort} ${spec.quorum}\n`;
        const args = [spec.liveFile, 'sentinel', 'sentinel'];
        return runOn(remote, step, context, { text: SEED_SCRIPT, args, input, name: 'making the live file' });
      },
      undo: (step, context) => {
        const args = [memberOf(members, step).spec.liveFile, 'sentinel', SENTINEL.unit, 'sentinel'];
        return runOn(remote, step, context, { text: UNSEED_SCRIPT, args, name: 'removing the live file' });
      },
    },
    'sentinel-quorum': {
      run: async (step, context) => {
        const { spec } = memberOf(members, step);
        const args = [spec.passwordFile, String(spec.port), spec.service];
        await untilGood(step, context, QUORUM_MS, async () => {
          const said = await runOn(remote, step, context, {
            text: QUORUM_SCRIPT,
            args,
            name: 'asking Sentinel',
          });
          return said.startsWith('OK') || said || 'no answer';
        });
      },
    },
  };
}
