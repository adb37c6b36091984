import type { UserError } from '@perlstack/stack';

interface Common {
  /** Refused when absent or empty. */
  readonly required?: boolean;
  /** What an absent or empty input counts as, in the form a user would write it; the same as in `action.yml`. */
  readonly default?: string;
  /** Masked in every form before the first use. */
  readonly secret?: boolean;
}

/** Text; `pattern` is what it must match as a whole, `expected` says so in words. */
interface StringInput extends Common {
  readonly kind: 'string';
  readonly pattern?: RegExp;
  readonly expected?: string;
}
/** `true` or `false` (YAML 1.2 core forms). */
interface BooleanInput extends Common {
  readonly kind: 'boolean';
}
interface IntegerInput extends Common {
  readonly kind: 'integer';
  readonly min?: number;
  readonly max?: number;
}
/** `30s`, `5m`; read as milliseconds. */
interface DurationInput extends Common {
  readonly kind: 'duration';
}
/** JSON text; `parse` (a zod schema's, say) checks it and gives it its type. */
interface JsonInput<T> extends Common {
  readonly kind: 'json';
  readonly parse: (value: unknown) => T;
}
/** A path, read relative to the workspace; `exists` refuses one that is not there. */
interface PathInput extends Common {
  readonly kind: 'path';
  readonly exists?: 'file' | 'folder';
}
/** One value a line, without the empty ones. */
interface MultilineInput extends Common {
  readonly kind: 'multiline';
}
/** `NAME=value` lines, or `NAME<<EOF` … `EOF`; read as a map of those that are not empty. */
interface AssignmentsInput extends Common {
  readonly kind: 'assignments';
}
interface ChoiceInput<C extends string> extends Common {
  readonly kind: 'choice';
  readonly options: readonly C[];
}

export type InputDeclaration =
  | StringInput
  | BooleanInput
  | IntegerInput
  | DurationInput
  | JsonInput<unknown>
  | PathInput
  | MultilineInput
  | AssignmentsInput
  | ChoiceInput<string>;

export interface OutputDeclaration {
  /** An optional output may stay unset by a run that succeeds. */
  readonly optional?: boolean;
}

/** The inputs and outputs of one action: read by its code and compared with its `action.yml`. */
export interface Declaration<
  I extends Record<string, InputDeclaration> = Record<string, InputDeclaration>,
  O extends Record<string, OutputDeclaration> = Record<string, OutputDeclaration>,
> {
  readonly inputs: I;
  readonly outputs: O;
  /** Inputs of earlier versions: the old name and what it is called now. */
  readonly renamed?: Readonly<Record<string, string>>;
}

type ValueOf<D> = D extends { kind: 'boolean' }
  ? boolean
  : D extends { kind: 'integer' | 'duration' }
    ? number
    : D extends { kind: 'multiline' }
      ? string[]
      : D extends { kind: 'assignments' }
        ? ReadonlyMap<string, string>
        : D extends { kind: 'choice'; options: readonly (infer C)[] }
          ? C
          : D extends { kind: 'json'; parse: (value: unknown) => infer T }
            ? T
            : string;

/** An input is there for certain when it is required or has a default; a list is empty rather than absent. */
type Present<D> = D extends { required: true } | { default: string } | { kind: 'multiline' | 'assignments' }
  ? ValueOf<D>
  : ValueOf<D> | undefined;

/** The typed object that an action's main gets: one property an input, under the input's own name. */
export type InputsOf<D> =
  D extends Declaration<infer I, infer _O> ? { readonly [K in keyof I]: Present<I[K]> } : never;

export type OutputNames<D> = D extends Declaration<infer _I, infer O> ? Extract<keyof O, string> : never;

/** Declares an action's inputs and outputs, keeping their literal types. */
export function declare<
  const I extends Record<string, InputDeclaration>,
  const O extends Record<string, OutputDeclaration>,
>(declaration: { inputs: I; outputs: O; renamed?: Readonly<Record<string, string>> }): Declaration<I, O> {
  return declaration;
}

/** The inputs that every action of the suite has: spread them into its own. */
export const commonInputs = {
  summary: { kind: 'boolean', default: 'true' },
} as const satisfies Record<string, InputDeclaration>;

/** What reading the inputs gives: their values, or everything that is wrong with them. */
export type Reading<D> = { readonly values: InputsOf<D> } | { readonly faults: readonly UserError[] };
