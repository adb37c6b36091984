import { nearest, UserError } from '@perlstack/stack';

/**
 * The server that an input names.
 *
 * @param names of those that there are
 * @param kind what messages call them, such as `database`; `null`: it may be of any tier
 * @throws UserError for one that there is not
 */
export function hostOfTier(
  wanted: string,
  names: readonly string[],
  kind: string | null,
  input: 'host' | 'replace' | 'source' | 'via',
): string {
  if (names.includes(wanted)) return wanted;
  const [likely] = nearest(wanted, names);
  const hint = likely ? `did you mean "${likely}"?` : `there is: ${names.join(', ')}`;
  throw new UserError(
    `Input "${input}": there is no ${kind === null ? '' : `${kind} `}server ${JSON.stringify(wanted)}; ${hint}`,
  );
}
