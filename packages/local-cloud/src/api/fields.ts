import { ApiError, entry, type ErrorEntry } from './errors.js';
import { isList, isObject, type Json, type JsonObject } from './json.js';

/**
 * Reads a request body field by field and collects everything that is wrong with it, because the API names several
 * faults in one answer. A key that is absent and a key that is `null` both read as `undefined`; `has` and `isNull`
 * tell them apart.
 */
export class Fields {
  readonly #object: JsonObject;
  readonly #errors: ErrorEntry[];
  readonly #path: string;

  constructor(object: JsonObject, errors: ErrorEntry[] = [], path = '') {
    this.#object = object;
    this.#errors = errors;
    this.#path = path;
  }

  has(name: string): boolean {
    return this.#object[name] !== undefined;
  }

  isNull(name: string): boolean {
    return this.#object[name] === null;
  }

  raw(name: string): Json | undefined {
    return this.#object[name];
  }

  fail(reason: string, name?: string): void {
    this.#errors.push(entry(reason, name === undefined ? this.#pathOrNone() : this.path(name)));
  }

  path(name: string): string {
    return this.#path === '' ? name : `${this.#path}.${name}`;
  }

  /** Throws a 400 with everything that was found wrong so far, here or in any nested part. */
  check(): void {
    if (this.#errors.length > 0) throw new ApiError(400, this.#errors);
  }

  string(name: string): string | undefined {
    return this.#typed(name, 'String', (value) => (typeof value === 'string' ? value : undefined));
  }

  /** `''` stands for a missing one: `check` throws before it is used. */
  requiredString(name: string): string {
    return this.string(name) ?? this.#missing(name, '');
  }

  integer(name: string): number | undefined {
    return this.#typed(name, 'Integer', (value) => (Number.isInteger(value) ? Number(value) : undefined));
  }

  /** `0` stands for a missing one: `check` throws before it is used. */
  requiredInteger(name: string): number {
    return this.integer(name) ?? this.#missing(name, 0);
  }

  boolean(name: string): boolean | undefined {
    return this.#typed(name, 'Boolean', (value) => (typeof value === 'boolean' ? value : undefined));
  }

  strings(name: string): string[] | undefined {
    return this.#list(name, 'String', (value) => (typeof value === 'string' ? value : undefined));
  }

  integers(name: string): number[] | undefined {
    return this.#list(name, 'Integer', (value) => (Number.isInteger(value) ? Number(value) : undefined));
  }

  object(name: string): Fields | undefined {
    const read = (value: Json): Fields | undefined =>
      isObject(value) ? new Fields(value, this.#errors, this.path(name)) : undefined;
    return this.#typed(name, 'Object', read);
  }

  objects(name: string): Fields[] | undefined {
    return this.#list(name, 'Object', (value, index) =>
      isObject(value) ? new Fields(value, this.#errors, `${this.path(name)}[${index}]`) : undefined,
    );
  }

  /** A string out of a closed set. */
  choice<Name extends string>(name: string, choices: readonly Name[]): Name | undefined {
    const given = this.string(name);
    if (given === undefined) return undefined;
    const found = choices.find((choice) => choice === given);
    if (found === undefined) this.fail(`Must be one of ${choices.join(', ')}`, name);
    return found;
  }

  /** An integer within bounds, both included. */
  within(name: string, least: number, most: number): number | undefined {
    const given = this.integer(name);
    if (given !== undefined && (given < least || given > most)) this.fail(`Must be ${least}-${most}`, name);
    return given;
  }

  #pathOrNone(): string | undefined {
    return this.#path === '' ? undefined : this.#path;
  }

  #missing<Value>(name: string, placeholder: Value): Value {
    if (!this.has(name) || this.isNull(name)) this.fail(`${name} is required`, name);
    return placeholder;
  }

  #typed<Value>(name: string, type: string, read: (value: Json) => Value | undefined): Value | undefined {
    const value = this.#object[name];
    if (value === undefined || value === null) return undefined;
    const result = read(value);
    if (result === undefined) this.fail(`Must be of type ${type}`, name);
    return result;
  }

  #list<Value>(
    name: string,
    type: string,
    read: (value: Json, index: number) => Value | undefined,
  ): Value[] | undefined {
    return this.#typed(name, 'Array', (value) => {
      if (!isList(value)) return undefined;
      return value.flatMap((element, index) => {
        const result = read(element, index);
        if (result === undefined) this.fail(`Must be of type ${type}`, `${name}[${index}]`);
        return result === undefined ? [] : [result];
      });
    });
  }
}
