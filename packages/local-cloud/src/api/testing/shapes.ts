import { isList, isObject, type Json } from '../json.js';

/** What was seen at one place of the answers of one kind. */
export interface Shape {
  readonly types: Set<string>;
  readonly keys: Map<string, Shape>;
  /** Of the elements, where lists were seen. */
  element: Shape | undefined;
  /** How many objects were seen here, and in how many of them each key was. */
  objects: number;
  readonly present: Map<string, number>;
}

export function emptyShape(): Shape {
  return { types: new Set(), keys: new Map(), element: undefined, objects: 0, present: new Map() };
}

/** Adds an answer to what is known of its kind. */
export function learn(shape: Shape, value: Json): void {
  shape.types.add(typeOf(value));
  if (isList(value)) {
    shape.element ??= emptyShape();
    for (const element of value) learn(shape.element, element);
  } else if (isObject(value)) {
    shape.objects += 1;
    for (const [key, part] of Object.entries(value)) {
      shape.present.set(key, (shape.present.get(key) ?? 0) + 1);
      learn(keyShape(shape, key), part);
    }
  }
}

function keyShape(shape: Shape, key: string): Shape {
  let part = shape.keys.get(key);
  if (part === undefined) {
    part = emptyShape();
    shape.keys.set(key, part);
  }
  return part;
}

/**
 * How an answer differs in shape from the recorded one: a key that is not there, a key that no record of the kind has,
 * a type (null is one) that neither the record nor any other of its kind has. `recorded` is the shape of the one
 * record, `known` that of all records of the kind, `isNewer` tells of keys that came later than the kind's records.
 */
export function differences(
  value: Json,
  recorded: Shape,
  known: Shape,
  isNewer: (key: string) => boolean,
  at = '',
): string[] {
  const type = typeOf(value);
  if (!recorded.types.has(type) && !known.types.has(type)) {
    return [`${at || 'answer'} is ${type}, recorded ${[...known.types].join(' or ')}`];
  }
  if (isList(value)) {
    const expected = recorded.element ?? known.element;
    if (expected === undefined || expected.types.size === 0) return [];
    return value.flatMap((element) =>
      differences(element, expected, known.element ?? expected, isNewer, `${at}[]`),
    );
  }
  if (!isObject(value)) return [];
  const missing = [...recorded.present]
    .filter(([key, count]) => count === recorded.objects && value[key] === undefined)
    .map(([key]) => `${at}.${key} is missing`);
  const others = Object.entries(value).flatMap(([key, part]) => {
    const expected = recorded.keys.get(key) ?? known.keys.get(key);
    if (expected === undefined)
      return isNewer(key) || recorded.objects === 0 ? [] : [`${at}.${key} is in no record`];
    return differences(part, expected, known.keys.get(key) ?? expected, isNewer, `${at}.${key}`);
  });
  return [...missing, ...others];
}

function typeOf(value: Json): string {
  if (value === null) return 'null';
  return isList(value) ? 'array' : typeof value;
}
