import { messageOf, UserError } from '@perlstack/stack';

/** An expression of a workflow file, without its `${{ }}`. Text with expressions in it is a call of `format`. */
export class Expression {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** A parsed file as plain data, with its expressions not yet evaluated. */
export type Tree = string | number | boolean | null | Expression | readonly Tree[] | TreeMap;
export interface TreeMap {
  readonly [key: string]: Tree;
}

export function isMap(tree: Tree | undefined): tree is TreeMap {
  return typeof tree === 'object' && tree !== null && !Array.isArray(tree) && !(tree instanceof Expression);
}

/** A mapping, or an empty one where the key is absent. */
export function mapAt(tree: TreeMap, key: string): TreeMap {
  const value = tree[key];
  return isMap(value) ? value : {};
}

/** A list, where one value may stand for a list of one. */
export function listAt(tree: TreeMap, key: string): readonly Tree[] {
  const value = tree[key];
  if (value === undefined || value === null) return [];
  return Array.isArray(value) ? (value as readonly Tree[]) : [value];
}

/** The text of a plain scalar; empty where there is none. */
export function wordOf(tree: Tree | undefined): string {
  if (tree === undefined || tree === null) return '';
  if (typeof tree === 'object')
    throw new UserError('a plain value was expected, not an expression, list or mapping');
  return String(tree);
}

/** What this runner does not do is refused by name, so that a run never says more than it did. */
export function unsupported(what: string): UserError {
  return new UserError(`${what} is not supported by the local workflow runner`);
}

/** @throws UserError naming the first key of `tree` that is not in `known` */
export function assertKeys(tree: TreeMap, known: readonly string[], path: string): void {
  const unknown = Object.keys(tree).find((key) => !known.includes(key));
  if (unknown !== undefined) throw unsupported(`${path}.${unknown}`);
}

/** An error with the place in the workflow before its message. */
export function at(path: string, thrown: unknown): UserError {
  return new UserError(`${path}: ${messageOf(thrown)}`, { cause: thrown });
}
