/** What goes wrong, where and how often. */
export interface ApiFault {
  /** Only calls by this method; any if absent. */
  readonly method?: string;
  /** Only paths (without version and query) that match; any if absent. */
  readonly path?: RegExp;
  /** Chance for each call, 0 to 1; 1 if absent. */
  readonly rate?: number;
  /** Ends after it struck so often; never if absent. */
  readonly times?: number;
  readonly effect: ApiFaultEffect;
}

export type ApiFaultEffect =
  /** An error answer; the call has no effect. */
  | { readonly kind: 'error'; readonly status: number; readonly reason?: string }
  /** 429 with `Retry-After`, whatever was used of the allowance. */
  | { readonly kind: 'throttle'; readonly retryAfterSeconds: number }
  /** The answer comes late. */
  | { readonly kind: 'slow'; readonly ms: number }
  /** The call takes effect, and the connection breaks before the answer. */
  | { readonly kind: 'lost-answer' }
  /** The connection breaks before the call takes effect. */
  | { readonly kind: 'broken-connection' }
  /** A create of a Linode finds no capacity; any region, any type where absent. */
  | { readonly kind: 'capacity'; readonly region?: string; readonly type?: string };

/** The faults in force; may be changed while the server runs. */
export class ApiFaults {
  readonly #random: () => number;
  #active: { readonly fault: ApiFault; left: number }[] = [];

  constructor(faults: readonly ApiFault[] = [], random: () => number = Math.random) {
    this.#random = random;
    for (const fault of faults) this.add(fault);
  }

  /** Puts a fault in force and returns what ends it. */
  add(fault: ApiFault): () => void {
    const active = { fault, left: fault.times ?? Infinity };
    this.#active.push(active);
    return () => {
      this.#active = this.#active.filter((other) => other !== active);
    };
  }

  clear(): void {
    this.#active = [];
  }

  /** The effects that strike this call; counts them. */
  strike(method: string, path: string): ApiFaultEffect[] {
    const striking = this.#active.filter(
      (active) => active.fault.effect.kind !== 'capacity' && this.#strikes(active.fault, method, path),
    );
    return striking.map((active) => this.#use(active));
  }

  /** Whether a capacity fault strikes the create of such a Linode; counts it. */
  strikesCapacity(region: string, type: string): boolean {
    const found = this.#active.find(({ fault }) => {
      return concerns(fault, region, type) && this.#strikes(fault, 'POST', '/linode/instances');
    });
    if (found === undefined) return false;
    this.#use(found);
    return true;
  }

  /** Whether the plan counts as sold out in the region for `/regions/availability`. */
  soldOut(region: string, type: string): boolean {
    return this.#active.some(({ fault }) => concerns(fault, region, type));
  }

  #strikes(fault: ApiFault, method: string, path: string): boolean {
    if (fault.method !== undefined && fault.method !== method) return false;
    if (fault.path !== undefined && !fault.path.test(path)) return false;
    return fault.rate === undefined || this.#random() < fault.rate;
  }

  #use(active: { readonly fault: ApiFault; left: number }): ApiFaultEffect {
    active.left -= 1;
    if (active.left <= 0) this.#active = this.#active.filter((other) => other !== active);
    return active.fault.effect;
  }
}

function concerns({ effect }: ApiFault, region: string, type: string): boolean {
  if (effect.kind !== 'capacity') return false;
  return (effect.region ?? region) === region && (effect.type ?? type) === type;
}
