import { setTimeout as sleep } from 'node:timers/promises';
import type { Handler } from '@perlstack/procedure';
import { troubledTimes } from './audit.js';
import { CANARY, type CanaryVerdict, judgeCanary, LOOKS, type Usual, usualOf } from './canary/judge.js';
import { beginTraffic, type Mark, NO_TRAFFIC, plus, readTraffic, type Traffic } from './canary/traffic.js';
import { type Hands, hostsAtWork, ReleaseFault } from './hands.js';
import { upstreamAddress } from './site.js';
import type { BakeStep } from './steps.js';

/** Lets users decide: the canary's share of real requests is compared with that of the hosts that have the old release. */
export function baking(hands: Hands): Handler<BakeStep> {
  return {
    run: async ({ release, hosts, ms, slowdown }, context) => {
      const { signal } = context;
      const counting = new Counting(hands, hosts);
      const usual = await counting.begin(BEFORE * ms, signal);
      let verdict: CanaryVerdict | undefined;
      for (const spend of LOOKS) {
        await sleep(ms / LOOKS.length, undefined, { signal });
        await counting.look(signal);
        verdict = judgeCanary(counting.canary, counting.rest, spend, usual, { ...CANARY, slowdown });
        hands.onCanary?.(verdict);
        if (verdict.decision === 'roll-back') {
          throw new ReleaseFault(
            `${hosts.join(', ')}: ${release} does worse than the rest: ${verdict.reason}`,
            [],
          );
        }
        context.progress(verdict.reason);
      }
      return verdict?.reason;
    },
  };
}

/** So many times as long as a bake is the time before it that says how servers differ by themselves. */
const BEFORE = 20;

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

  /** From now on it counts. @returns what was usual in the time before */
  async begin(beforeMs: number, signal: AbortSignal): Promise<Usual> {
    const hands = this.#hands;
    const troubled = troubledTimes(hands.audit ?? [], Date.now());
    const before = await Promise.all(
      hands.site.webHosts.map(async ({ name }) => {
        const { mark, windows } = await beginTraffic(hands, name, beforeMs, troubled, signal);
        this.#marks.set(name, mark);
        return windows;
      }),
    );
    const ofHostsAtWork = before
      .flat()
      .map((window) => new Map([...window].filter(([address]) => this.#addresses.has(address))));
    return usualOf(ofHostsAtWork, (address) => this.#addresses.get(address) === 'canary');
  }

  async look(signal: AbortSignal): Promise<void> {
    await Promise.all(
      [...this.#marks].map(async ([name, since]) => {
        const { mark, byAddress } = await readTraffic(this.#hands, name, since, signal);
        this.#marks.set(name, mark);
        for (const [address, traffic] of byAddress) {
          const side = this.#addresses.get(address);
          if (side !== undefined) this[side] = plus(this[side], traffic);
        }
      }),
    );
  }
}
