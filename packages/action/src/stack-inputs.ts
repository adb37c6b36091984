import { readFileSync, statSync } from 'node:fs';
import { expectation, type Inventory, InventorySchema, UserError } from '@perlstack/stack';
import type { InputDeclaration } from './declaration.js';

/** The input of every action that reads the stack file; relative to the workspace, so that errors name it shortly. */
export const stackInputs = {
  'stack-file': { kind: 'string', default: 'perlstack.yml' },
} as const satisfies Record<string, InputDeclaration>;

/** The inputs of every action that works on servers which are there already. */
export const hostInputs = {
  inventory: { kind: 'string', required: true },
  'ssh-private-key': { kind: 'string', required: true, secret: true },
} as const satisfies Record<string, InputDeclaration>;

/**
 * The inventory that an input holds: JSON, or the path of a file with it.
 *
 * @param stack the stack that the other inputs speak of
 * @throws UserError when it is neither, or is the inventory of another stack
 */
export function inventoryFrom(input: string, stack: string): Inventory {
  const parsed = InventorySchema.safeParse(jsonIn(input));
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const where = issue?.path.map(String).join('.') || 'the whole';
    throw new UserError(
      `Input "inventory": ${where}: ${issue ? expectation(issue) : 'not valid'}; ${PASS_THE_OUTPUT}`,
    );
  }
  if (parsed.data.stack === stack) return parsed.data;
  throw new UserError(
    `Input "inventory": it is that of stack "${parsed.data.stack}", but the stack file says "${stack}"; take both from the same stack`,
  );
}

const PASS_THE_OUTPUT = 'pass the output "inventory" of provision-linode-tier';

function jsonIn(input: string): unknown {
  try {
    return JSON.parse(isFile(input) ? readFileSync(input, 'utf8') : input);
  } catch (error) {
    // The parser's own message quotes the text, over several lines if it has them.
    throw new UserError(`Input "inventory": neither JSON nor a file that holds it; ${PASS_THE_OUTPUT}`, {
      cause: error,
    });
  }
}

/** A text as long as an inventory is no path, and asking for it as one would fail. */
function isFile(input: string): boolean {
  try {
    return statSync(input).isFile();
  } catch {
    return false;
  }
}

/**
 * Values from lines of the form `NAME=value`.
 *
 * @param what the input's name, for errors, which never quote a line: it may hold a secret
 */
export function assignmentsIn(lines: readonly string[], what: string): Map<string, string> {
  return new Map(
    lines.map((line, index) => {
      const [, name, value] = /^([A-Za-z_][A-Za-z0-9_]*)=(.*)$/.exec(line) ?? [];
      if (name === undefined || value === undefined) {
        throw new UserError(`Input "${what}": line ${index + 1} is not of the form NAME=value`);
      }
      return [name, value] as const;
    }),
  );
}
