import { readFile } from 'node:fs/promises';
import { parse } from 'yaml';
import { actionNames, inRoot } from './repository.js';

export interface ActionInput {
  readonly description?: string;
  readonly required?: boolean;
  readonly default?: string;
}

/** What the tables need of an `action.yml`. */
export interface ActionYml {
  readonly description: string;
  readonly inputs?: Readonly<Record<string, ActionInput | null>>;
  readonly outputs?: Readonly<Record<string, { readonly description?: string } | null>>;
}

/** Every action's `action.yml` by the action's name, sorted. */
export async function readActionYmls(): Promise<Map<string, ActionYml>> {
  const entries = actionNames().map(async (name) => {
    const text = await readFile(inRoot('actions', name, 'action.yml'), 'utf8');
    return [name, parse(text) as ActionYml] as const;
  });
  return new Map(await Promise.all(entries));
}
