import { type Stack, UserError } from '@perlstack/stack';

/**
 * Refuses what the stack file asks of a deploy and this version does not do: a migration that silently does not run is worse
 * than a deploy that does not begin.
 *
 * @throws UserError naming the key and what to do instead.
 */
export function requireSupported({ app: { build } }: Pick<Stack, 'app'>): void {
  if (build.with !== 'none' && build.on === 'host') {
    throw new UserError(
      `app.build: this version does not build on the hosts; pack an artifact that holds its modules (${build.with} in a workflow ` +
        'step), and set "build: { with: none }". Nothing was changed.',
    );
  }
}
