import { setTimeout as sleep } from 'node:timers/promises';
import type { Handler } from '@perlstack/procedure';
import { type CanaryVerdict, judgeCanary } from './canary/judge.js';
import { type Mark, NO_TRAFFIC, plus, readTraffic, type Traffic } from './canary/traffic.js';
import { type Hands, hostsAtWork, ReleaseFault } from './hands.js';
import { upstreamAddress } from './site.js';
import type { BakeStep } from './steps.js';

/** How often the canary is judged while it bakes: a bad one is taken back at the next look, not at the end. */
const LOOKS = 5;

/** Lets users decide: the canary's share of real requests is compared with that of the hosts that have the old release. */
export function baking(hands: Hands): Handler<BakeStep> {
  return {
    run: async ({ release, hosts, ms }, context) => {
      const { signal } = context;
      const counting = new Counting(hands, hosts);
      await counting.look(signal);
      let verdict: CanaryVerdict | undefined;
      for (let look = 1; look <= LOOKS; look += 1) {
        await sleep(ms / LOOKS, undefined, { signal });
        await counting.look(signal);
        verdict = judgeCanary(counting.canary, counting.rest, LOOKS);
        hands.onCanary?.(verdict);
        if (verdict.decision === 'roll-back') {
          throw new ReleaseFault(
            `${hosts.join(', ')}: ${release} does worse than the rest: ${verdict.reason}`,
            [],
          );
        }
        if (look < LOOKS) context.progress(verdict.reason);
      }
      return verdict?.reason;
    },
  };
}

/** The traffic of both sides since the first look, added up look by look. */
class Counting {
  canary: Traffic = NO_TRAFFIC;
  rest: Traffic = NO_TRAFFIC;
  readonly #hands: Hands;
  readonly #addresses: ReadonlyMap<string, 'canary' | 'rest'>;
  readonly #marks = new Map<string, Mark>();

  constructor(hands: Hands, canary: readonly string[]) {
    this.#hands = hands;
    this.#addresses = new Map(
      hostsAtWork(hands).map(({ name }) => [
        upstreamAddress(hands.site, name),
        canary.includes(name) ? 'canary' : 'rest',
      ]),
    );
  }

  async look(signal: AbortSignal): Promise<void> {
    const { webHosts } = this.#hands.site;
    await Promise.all(
      webHosts.map(async ({ name }) => {
        const { mark, byAddress } = await readTraffic(this.#hands, name, this.#marks.get(name) ?? '', signal);
        this.#marks.set(name, mark);
        for (const [address, traffic] of byAddress) {
          const side = this.#addresses.get(address);
          if (side !== undefined) this[side] = plus(this[side], traffic);
        }
      }),
    );
  }
}
