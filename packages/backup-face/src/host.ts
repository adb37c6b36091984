import { nearest, UserError } from '@perlstack/stack';

/**
 * The server that an input names.
 *
 * @param names of those that there are
 * @param kind what messages call them, such as `database`
 * @throws UserError for one that there is not
 */
export function hostOfTier(
  wanted: string,
  names: readonly string[],
  kind: string,
  input: 'host' | 'replace' | 'source',
): string {
  if (names.includes(wanted)) return wanted;
  const [likely] = nearest(wanted, names);
  const hint = likely ? `did you mean "${likely}"?` : `there is: ${names.join(', ')}`;
  throw new UserError(`Input "${input}": there is no ${kind} server ${JSON.stringify(wanted)}; ${hint}`);
}
