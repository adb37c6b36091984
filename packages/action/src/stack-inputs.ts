import { readFileSync, statSync } from 'node:fs';
import {
  expectation,
  type Inventory,
  InventorySchema,
  loadStack,
  type StackFile,
  stackFault,
  UserError,
} from '@perlstack/stack';
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
 * The inputs of every action that reads or writes the bucket that the stack file names. The key is asked for where it is
 * used: with the engine pgBackRest the database hosts have it.
 */
export const storageInputs = {
  endpoint: {
    kind: 'string',
    pattern: /https?:\/\/[^/\s?#]+\/?/,
    expected: 'a URL without a path, such as https://us-ord-1.linodeobjects.com',
  },
  'access-key-id': { kind: 'string', secret: true },
  'secret-access-key': { kind: 'string', secret: true },
} as const satisfies Record<string, InputDeclaration>;

/** The same where nobody but the runner has the key. */
export const ownStorageInputs = {
  ...storageInputs,
  'access-key-id': { ...storageInputs['access-key-id'], required: true },
  'secret-access-key': { ...storageInputs['secret-access-key'], required: true },
} as const satisfies Record<string, InputDeclaration>;

/** What the inputs of an action that works on servers speak of. */
export interface Site {
  readonly file: StackFile;
  readonly inventory: Inventory;
}

/**
 * Reads the stack file and the inventory of its servers.
 *
 * @throws UserError where either is faulty, or they do not belong together
 */
export function openSite(inputs: { readonly 'stack-file': string; readonly inventory: string }): Site {
  const file = loadStack(inputs['stack-file']);
  return { file, inventory: inventoryFrom(inputs.inventory, file.stack.stack) };
}

/** A message that begins with a key of the stack file: `tiers.cache.memory: …`. */
const OF_A_KEY = /^((?:stack|region|image|network|app|tiers|backups|budget)(?:\.[A-Za-z]+)*): ([^]+)$/;

/**
 * Does something with a stack whose faults are told by their key alone, and adds the place in the file.
 *
 * @throws UserError with line and column, where the key of the one that was thrown is known
 */
export function inStackFile<T>(file: StackFile, work: () => T): T {
  try {
    return work();
  } catch (error) {
    const found = error instanceof UserError && !error.location ? OF_A_KEY.exec(error.message) : null;
    const [, key, what] = found ?? [];
    if (key === undefined || what === undefined) throw error;
    throw stackFault(file.locate(key.split('.')), key, what);
  }
}

/**
 * The inventory that an input holds, of the stack that the other inputs speak of.
 *
 * @throws as `inventoryIn`, and when it is the inventory of another stack
 */
export function inventoryFrom(input: string, stack: string): Inventory {
  const inventory = inventoryIn(input);
  if (inventory.stack === stack) return inventory;
  throw new UserError(
    `Input "inventory": it is that of stack "${inventory.stack}", but the stack file says "${stack}"; take both from the same stack`,
  );
}

/**
 * The inventory that an input holds: JSON, or the path of a file with it.
 *
 * @throws UserError when it is neither
 */
export function inventoryIn(input: string): Inventory {
  const parsed = InventorySchema.safeParse(jsonIn(input));
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const where = issue?.path.map(String).join('.') || 'the whole';
    throw new UserError(
      `Input "inventory": ${where}: ${issue ? faultOf(issue) : 'not valid'}; ${PASS_THE_OUTPUT}`,
    );
  }
  return parsed.data;
}

/** A key that is not known here is what another version of the actions wrote. */
function faultOf(issue: Parameters<typeof expectation>[0]): string {
  return issue.code === 'unrecognized_keys'
    ? `unknown key "${issue.keys[0] ?? ''}"; use one version of all actions`
    : expectation(issue);
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
