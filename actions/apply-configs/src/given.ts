import type { InputsOf } from '@perlstack/action';
import { requiredSecrets, type RequiredSecret, type TlsFiles } from '@perlstack/configs';
import type { Consent } from '@perlstack/converge';
import {
  type Inventory,
  type Location,
  nearest,
  type StackFile,
  stackFault,
  UserError,
} from '@perlstack/stack';
import type { declaration } from './declaration.js';

type Inputs = InputsOf<typeof declaration>;

/**
 * The values of the secrets that a stack needs.
 *
 * @throws UserError naming those without a value, at the place in the stack file that asks for the first
 */
export function secretsFor(file: StackFile, given: Inputs['secrets']): Record<string, string> {
  const required = requiredSecrets(file.stack);
  const missing = required.filter(({ name }) => !given.has(name));
  const [first] = missing;
  if (first)
    throw withoutValue(
      file,
      first,
      missing.map(({ name }) => name),
    );
  return Object.fromEntries(required.map(({ name }) => [name, given.get(name) ?? '']));
}

/** Names of values that the stack file does not ask for. */
export function unusedSecrets({ stack }: StackFile, given: Inputs['secrets']): string[] {
  const names = requiredSecrets(stack).map(({ name }) => name);
  return [...given.keys()].filter((name) => !names.includes(name));
}

function withoutValue(file: StackFile, first: RequiredSecret, names: readonly string[]): UserError {
  const [location, key] = placeOf(file, first);
  const lines = names.map((name) => `"${name}=…"`).join(', ');
  const [have, line] = names.length === 1 ? ['has', 'a line'] : ['have', 'the lines'];
  return stackFault(
    location,
    key,
    `${names.join(', ')} ${have} no value; give the step ${line} ${lines} in its input "secrets"`,
  );
}

/** Where the stack file asks for a secret: its own list, or the tier that can't do without. */
function placeOf(file: StackFile, { name, why }: RequiredSecret): [Location, key: string] {
  const listed = file.stack.app.secrets.indexOf(name);
  const key = /^\S+/.exec(why)?.[0] ?? '';
  const path = key.split('.');
  return [file.locate(key === 'app.secrets' && listed >= 0 ? [...path, listed] : path), key];
}

/**
 * The certificate and its key, where the stack file wants HTTPS.
 *
 * @throws UserError naming the input that is missing, at the place in the stack file that asks for it
 */
export function tlsFor(
  file: StackFile,
  { 'tls-certificate': certificate, 'tls-private-key': privateKey }: Inputs,
): TlsFiles | undefined {
  if (certificate !== undefined && privateKey !== undefined)
    return { certificate: pem(certificate), privateKey: pem(privateKey) };
  const domains = file.stack.app.domains.join(', ');
  // Without a name there is nothing to have a certificate for, which is said elsewhere.
  if (!file.stack.tiers.web.tls?.files || domains === '') return undefined;
  const missing = [
    ...(certificate === undefined ? ['"tls-certificate"'] : []),
    ...(privateKey === undefined ? ['"tls-private-key"'] : []),
  ];
  throw stackFault(
    file.locate(['tiers', 'web', 'tls', 'files']),
    'tiers.web.tls.files',
    `HTTPS for ${domains} needs a certificate and its key; give the step ${missing.length === 1 ? 'the input' : 'the inputs'} ${missing.join(' and ')}`,
  );
}

/** An input loses its last line end on the way. */
const pem = (text: string): string => `${text.trimEnd()}\n`;

/** What the user agrees to. @throws UserError for a host that there is not */
export function consentFrom(inputs: Inputs, { hosts }: Inventory): Consent {
  const names = hosts.map(({ name }) => name);
  const unknown = inputs['allow-rebuild'].find((name) => !names.includes(name));
  if (unknown !== undefined) {
    const [likely] = nearest(unknown, names);
    const hint = likely ? `did you mean "${likely}"?` : `there is: ${names.join(', ')}`;
    throw new UserError(`Input "allow-rebuild": there is no host ${JSON.stringify(unknown)}; ${hint}`);
  }
  return { restart: inputs['allow-restart'], rebuild: inputs['allow-rebuild'], drift: inputs.drift };
}
