import { badRequest } from './errors.js';
import { isList, isObject, type Json, type JsonObject } from './json.js';

/** A parsed `X-Filter`: which items to list and in what order. */
export interface Query {
  matches(item: JsonObject): boolean;
  readonly order: { readonly key: string; readonly descending: boolean } | null;
}

type Test = (item: JsonObject) => boolean;

type Operator = '+eq' | '+neq' | '+gt' | '+gte' | '+lt' | '+lte' | '+contains';

const EVERYTHING: Query = { matches: () => true, order: null };

/**
 * Reads an `X-Filter` header. `filterable` names the keys of the collection that may be used, nested ones with dots.
 * Throws the API's own 400 for text that is no JSON object, an unknown operator and a key that may not be used.
 */
export function parseFilter(header: string | undefined, filterable: readonly string[]): Query {
  if (header === undefined || header.trim() === '') return EVERYTHING;
  const filter = parseObject(header);
  const reader = new FilterReader(filterable);
  return { matches: reader.all(filter), order: reader.order(filter) };
}

/** The items that match, in the asked order; equal items keep their order. */
export function applyQuery<Item extends JsonObject>(items: readonly Item[], query: Query): Item[] {
  const matching = items.filter((item) => query.matches(item));
  const { order } = query;
  if (order === null) return matching;
  const sign = order.descending ? -1 : 1;
  return matching.toSorted((a, b) => sign * compare(valueAt(a, order.key), valueAt(b, order.key)));
}

function parseObject(header: string): JsonObject {
  try {
    const parsed = JSON.parse(header) as Json;
    if (isObject(parsed)) return parsed;
  } catch {
    // Falls through: what is no JSON and what is no object have the same answer.
  }
  throw badRequest('Filter not valid JSON', 'X-Filter');
}

class FilterReader {
  readonly #filterable: readonly string[];

  constructor(filterable: readonly string[]) {
    this.#filterable = filterable;
  }

  all(filter: JsonObject): Test {
    const tests = Object.entries(filter).flatMap(([key, value]) => this.#test(key, value) ?? []);
    return (item) => tests.every((test) => test(item));
  }

  order(filter: JsonObject): Query['order'] {
    const key = filter['+order_by'];
    if (typeof key !== 'string') return null;
    this.#permit(key);
    return { key, descending: filter['+order'] === 'desc' };
  }

  #test(key: string, value: Json): Test | undefined {
    if (key === '+order_by' || key === '+order') return undefined;
    if (key === '+and' || key === '+or') return this.#junction(key, value);
    if (key.startsWith('+')) throw badRequest(`Unknown operator ${key}`, 'X-Filter');
    this.#permit(key);
    if (!isObject(value)) return comparison(key, '+eq', value);
    const tests = Object.entries(value).map(([operator, operand]) => comparison(key, operator, operand));
    return (item) => tests.every((test) => test(item));
  }

  #junction(key: '+and' | '+or', value: Json): Test {
    const parts = isList(value) ? value.filter(isObject) : [];
    if (!isList(value) || parts.length !== value.length) {
      throw badRequest(`${key} must be a list of filters`, 'X-Filter');
    }
    const tests = parts.map((part) => this.all(part));
    if (key === '+and') return (item) => tests.every((test) => test(item));
    return (item) => tests.some((test) => test(item));
  }

  #permit(key: string): void {
    if (!this.#filterable.includes(key)) throw badRequest(`Cannot filter on ${key}`, 'X-Filter');
  }
}

function comparison(key: string, operator: string, operand: Json): Test {
  const test = OPERATORS[operator as Operator] as ((value: Json, operand: Json) => boolean) | undefined;
  if (test === undefined) throw badRequest(`Unknown operator ${operator}`, 'X-Filter');
  // A list, such as the tags, matches by any of its elements, except that `+neq` asks that none is equal.
  return (item) => {
    const value = valueAt(item, key);
    if (!isList(value)) return test(value, operand);
    return operator === '+neq'
      ? value.every((one) => test(one, operand))
      : value.some((one) => test(one, operand));
  };
}

const OPERATORS: Readonly<Record<Operator, (value: Json, operand: Json) => boolean>> = {
  '+eq': (value, operand) => same(value, operand),
  '+neq': (value, operand) => !same(value, operand),
  '+gt': (value, operand) => value !== null && compare(value, operand) > 0,
  '+gte': (value, operand) => value !== null && compare(value, operand) >= 0,
  '+lt': (value, operand) => value !== null && compare(value, operand) < 0,
  '+lte': (value, operand) => value !== null && compare(value, operand) <= 0,
  '+contains': (value, operand) => text(value).toLowerCase().includes(text(operand).toLowerCase()),
};

function valueAt(item: JsonObject, key: string): Json {
  let value: Json | undefined = item[key];
  if (value === undefined) {
    value = key
      .split('.')
      .reduce<Json | undefined>((part, name) => (isObject(part) ? part[name] : undefined), item);
  }
  return value ?? null;
}

/** Ids come as text as well as numbers; an object, such as an interface of a profile, is meant by its label. */
function same(value: Json, operand: Json): boolean {
  if (isObject(value)) return same(value['label'] ?? null, operand);
  if (value === null || operand === null) return value === operand;
  return text(value) === text(operand);
}

function compare(a: Json, b: Json): number {
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  const [left, right] = [text(a), text(b)];
  return left < right ? -1 : left > right ? 1 : 0;
}

function text(value: Json): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}
