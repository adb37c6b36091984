import { inventoryFrom } from '@perlstack/action';
import { type ConfigBundle, render, requiredSecrets } from '@perlstack/configs';
import { type Inventory, messageOf, parseStack, type Stack } from '@perlstack/stack';
import type { Base } from './sources.js';

/** Every file's content but for the secrets, whose values are not asked for. */
export function renderOpenly(stack: Stack, inventory: Inventory): ConfigBundle {
  const secrets = Object.fromEntries(requiredSecrets(stack).map(({ name }) => [name, '(secret)']));
  const tls = { certificate: '(certificate)', privateKey: '(secret)' };
  return render(stack, inventory, { secrets, ...(stack.tiers.web.tls?.files ? { tls } : {}) });
}

export interface Compared {
  readonly bundle: ConfigBundle;
  /** Why there is less to compare with than was asked for. */
  readonly remark?: string;
}

const nothing = (stack: string): ConfigBundle => ({ stack, hosts: [], notes: [] });

/**
 * The base rendered in the same way. One that can't be rendered counts as nothing: a pull request may be what mends it.
 *
 * @param inventory that of the head, where the base has none of its own
 */
export function renderBase({ stack: source, inventory: own, name }: Base, inventory: Inventory): Compared {
  if ('missing' in source)
    return { bundle: nothing(inventory.stack), remark: `There is no ${source.missing}: everything is new` };
  try {
    const { stack } = parseStack(source.text, source.name);
    // A stack may be renamed.
    const hosts = own === null ? { ...inventory, stack: stack.stack } : inventoryFrom(own, stack.stack);
    return { bundle: renderOpenly(stack, hosts) };
  } catch (error) {
    return {
      bundle: nothing(inventory.stack),
      remark: `The configuration of ${name} can't be rendered, so everything counts as new (${messageOf(error)})`,
    };
  }
}
