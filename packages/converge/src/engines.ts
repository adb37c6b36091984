import type { ConfigBundle, EngineSpec } from '@perlstack/configs';
import type { Change, Consent, Engine, EngineStep, Intent, Member } from '@perlstack/engine';
import { postgresEngine } from '@perlstack/postgres';
import type { Handler } from '@perlstack/procedure';
import { redisEngine, sentinelEngine } from '@perlstack/redis';
import type { Remote } from '@perlstack/remote';
import type { Observed } from './world.js';

/** An engine of whatever kind: what it sees is for itself alone. */
export type AnyEngine = Engine<EngineSpec, unknown, EngineStep>;

/** A further kind of engine is one more entry. */
const BY_KIND: Readonly<Record<EngineSpec['kind'], AnyEngine>> = {
  postgresql: postgresEngine,
  redis: redisEngine,
  sentinel: sentinelEngine,
};

export const ENGINES: readonly AnyEngine[] = Object.values(BY_KIND);

/** The hosts on which an engine has something to look after. */
export function membersOf(bundle: ConfigBundle, kind: EngineSpec['kind']): Member[] {
  return bundle.hosts.flatMap(({ host, services }) =>
    services.flatMap(({ name, engine }) =>
      engine?.kind === kind ? [{ host, service: name, spec: engine }] : [],
    ),
  );
}

/**
 * Asks each engine about its members.
 *
 * @param looked by host: resolves when the host itself was looked at
 */
export async function observeEngines(
  remote: Remote,
  bundle: ConfigBundle,
  engines: readonly AnyEngine[],
  looked: ReadonlyMap<string, Promise<unknown>>,
  options: { readonly signal?: AbortSignal },
): Promise<Observed['engines']> {
  const entries = engines.map(async (engine): Promise<[string, Readonly<Record<string, unknown>>]> => {
    const members = membersOf(bundle, engine.kind);
    for (const { host } of members) await looked.get(host);
    return [engine.kind, members.length > 0 ? await engine.observe(remote, members, options) : {}];
  });
  return Object.fromEntries(await Promise.all(entries));
}

/** All engines' plans in one. */
export interface EnginesPlan {
  readonly changes: readonly Change[];
  readonly before: readonly EngineStep[];
  readonly after: readonly EngineStep[];
  readonly order: readonly { readonly first: ServiceKey; readonly then: ServiceKey }[];
  readonly refusals: readonly string[];
}

/** `database-1/postgresql` */
export type ServiceKey = string;

export const keyOf = (host: string, service: string): ServiceKey => `${host}/${service}`;

/** Pure. @param intents by key of the service */
export function planEngines(
  bundle: ConfigBundle,
  observed: Observed,
  intents: ReadonlyMap<ServiceKey, Intent>,
  consent: Consent,
  engines: readonly AnyEngine[],
): EnginesPlan {
  const plans = engines.map((engine) => {
    const members = membersOf(bundle, engine.kind);
    const own = Object.fromEntries(
      members.map(({ host, service }) => [
        host,
        intents.get(keyOf(host, service)) ?? { due: null, files: [] },
      ]),
    );
    const keys = new Map(members.map(({ host, service }) => [host, keyOf(host, service)]));
    const plan =
      members.length > 0 ? engine.plan(members, seenBy(engine, observed, members), own, consent) : NOTHING;
    const order = plan.order.map(({ first, then }) => ({
      first: keys.get(first) ?? first,
      then: keys.get(then) ?? then,
    }));
    return { ...plan, order };
  });
  return {
    changes: plans.flatMap(({ changes }) => changes),
    before: plans.flatMap(({ before }) => before),
    after: plans.flatMap(({ after }) => after),
    order: plans.flatMap(({ order }) => order),
    refusals: plans.flatMap(({ refusals }) => refusals),
  };
}

const NOTHING = { changes: [], before: [], after: [], order: [], refusals: [] };

function seenBy(
  { kind }: AnyEngine,
  observed: Observed,
  members: readonly Member[],
): Readonly<Record<string, unknown>> {
  const seen = observed.engines[kind] ?? {};
  const unseen = members.find(({ host }) => !Object.hasOwn(seen, host));
  if (unseen) throw new Error(`${unseen.host} was not observed by the engine ${kind}`);
  return seen;
}

/** The handlers of all engines' steps, by kind. */
export function engineHandlers(
  remote: Remote,
  bundle: ConfigBundle,
  engines: readonly AnyEngine[],
): Readonly<Record<string, Handler<EngineStep>>> {
  return Object.assign(
    {},
    ...engines.map((engine) => engine.handlers(remote, membersOf(bundle, engine.kind))),
  ) as Readonly<Record<string, Handler<EngineStep>>>;
}
