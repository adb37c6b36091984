import type { ConfigBundle } from '@perlstack/configs';
import type { EngineStep } from '@perlstack/engine';
import { keyOf, type ServiceKey } from './engines.js';
import type { ApplyStep, PlanStep } from './step.js';

/** What is done for one service of one host. */
export interface Work {
  readonly key: ServiceKey;
  /** Ids of steps that come before all of it. */
  readonly prepared: readonly string[];
  readonly before: readonly EngineStep[];
  readonly apply: ApplyStep | null;
  readonly after: readonly EngineStep[];
}

/** One service goes before another. */
export interface Precedence {
  readonly first: ServiceKey;
  readonly then: ServiceKey;
}

/**
 * Who goes before whom by the bundle; among members that an engine puts in an order, that one alone counts.
 *
 * @throws Error when the order goes round in a circle
 */
export function precedences({ hosts }: ConfigBundle, engines: readonly Precedence[]): Precedence[] {
  const ordered = new Set(engines.flatMap(({ first, then }) => [first, then]));
  const declared = hosts.flatMap(({ host, services }) =>
    services.flatMap(({ name, after = [] }) =>
      after
        .map((other) => ({ first: keyOf(other.host, other.service), then: keyOf(host, name), other, name }))
        .filter(
          ({ first, then, other }) => other.service !== name || !ordered.has(first) || !ordered.has(then),
        )
        .map(({ first, then }): Precedence => ({ first, then })),
    ),
  );
  const order = [...declared, ...engines];
  walk(new Set(order.map(({ then }) => then)), predecessorsIn(order));
  return order;
}

function predecessorsIn(order: readonly Precedence[]): (key: ServiceKey) => readonly ServiceKey[] {
  const direct = new Map<ServiceKey, ServiceKey[]>();
  for (const { first, then } of order) direct.set(then, [...(direct.get(then) ?? []), first]);
  return (key) => direct.get(key) ?? [];
}

/** Visits what comes before first. @throws Error when that goes round in a circle */
function walk(keys: Iterable<string>, before: (key: string) => readonly string[]): string[] {
  const done = new Set<string>();
  const visit = (key: string, path: readonly string[]): void => {
    if (done.has(key)) return;
    if (path.includes(key)) throw circle([...path.slice(path.indexOf(key)), key].reverse());
    for (const other of before(key)) visit(other, [...path, key]);
    done.add(key);
  };
  for (const key of keys) visit(key, []);
  return [...done];
}

const circle = (path: readonly string[]): Error =>
  new Error(`The order of the services goes round in a circle: ${path.join(' → ')}`);

/**
 * The steps of all services in an order in which they can be done: each after everything of the services that go
 * before its own, also where what lies between them has nothing to do. Hosts run side by side but for that; on one host
 * one service at a time comes into force.
 *
 * @param works in the order of the bundle
 * @throws Error when the order goes round in a circle
 */
export function arrange(works: readonly Work[], order: readonly Precedence[]): PlanStep[] {
  const predecessors = predecessorsOf(works, order);
  const linked = works.flatMap((work) => {
    const ends = (predecessors.get(work.key) ?? []).flatMap(lastSteps);
    return linkSteps(work, [...work.prepared, ...ends]);
  });
  return chainApplies(sortSteps(inListedOrder(linked), new Set(works.flatMap(({ prepared }) => prepared))));
}

function stepsOf({ before, apply, after }: Work): PlanStep[] {
  return [...before, ...(apply ? [apply] : []), ...after];
}

const lastSteps = (work: Work): string[] =>
  stepsOf(work)
    .slice(-1)
    .map(({ id }) => id);

/** One after the other; the first after what comes before all of it. */
function linkSteps(work: Work, first: readonly string[]): PlanStep[] {
  return stepsOf(work).map((step, index, all) => {
    const previous = all[index - 1];
    const after = [...(previous ? [previous.id] : first), ...(step.after ?? [])];
    return { ...step, after: [...new Set(after)] };
  });
}

/** For each service the nearest ones before it that have something to do. */
function predecessorsOf(works: readonly Work[], order: readonly Precedence[]): Map<ServiceKey, Work[]> {
  const busy = new Map(works.filter((work) => stepsOf(work).length > 0).map((work) => [work.key, work]));
  const direct = predecessorsIn(order);
  const nearest = (key: ServiceKey): Work[] =>
    direct(key).flatMap((other) => {
      const work = busy.get(other);
      return work ? [work] : nearest(other);
    });
  return new Map(works.map(({ key }) => [key, [...new Set(nearest(key))]]));
}

/** Puts the applies of a host in the order of the bundle, as far as nothing else puts them in another. */
function inListedOrder(steps: readonly PlanStep[]): PlanStep[] {
  const after = new Map(steps.map((step) => [step.id, [...(step.after ?? [])]]));
  const before = (id: string): readonly string[] => after.get(id) ?? [];
  const comesAfter = (id: string, other: string, seen = new Set<string>()): boolean =>
    before(id).some((one) => {
      if (one === other) return true;
      if (seen.has(one)) return false;
      return comesAfter(one, other, seen.add(one));
    });
  for (const applies of appliesByHost(steps)) {
    applies.forEach((id, index) => {
      for (const earlier of applies.slice(0, index).reverse()) {
        if (!comesAfter(id, earlier) && !comesAfter(earlier, id)) after.get(id)?.push(earlier);
      }
    });
  }
  return steps.map((step) => ({ ...step, after: before(step.id) }));
}

function appliesByHost(steps: readonly PlanStep[]): Iterable<readonly string[]> {
  const applies = new Map<string | undefined, string[]>();
  for (const { kind, host, id } of steps)
    if (kind === 'apply') applies.set(host, [...(applies.get(host) ?? []), id]);
  return applies.values();
}

/** Each step behind those it comes after, else as they were. */
function sortSteps(steps: readonly PlanStep[], outside: ReadonlySet<string>): PlanStep[] {
  const byId = new Map(steps.map((step) => [step.id, step]));
  const before = (id: string): readonly string[] => {
    const after = (byId.get(id)?.after ?? []).filter((other) => !outside.has(other));
    const missing = after.find((other) => !byId.has(other));
    if (missing !== undefined) throw new Error(`${id} comes after ${missing}, which is not in the plan`);
    return after;
  };
  return walk(byId.keys(), before).flatMap((id) => byId.get(id) ?? []);
}

/** Two scripts that change one host would wait for each other anyway, and the second could give up. */
function chainApplies(sorted: readonly PlanStep[]): PlanStep[] {
  const last = new Map<string, string>();
  return sorted.map((step) => {
    if (step.kind !== 'apply' || step.host === undefined) return step;
    const previous = last.get(step.host);
    last.set(step.host, step.id);
    return previous && !step.after?.includes(previous)
      ? { ...step, after: [...(step.after ?? []), previous] }
      : step;
  });
}
