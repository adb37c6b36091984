import type { Stack } from './schema.js';

/** Where the bucket of a stack is, without the bucket: as the stack file says, or as Linode has it in the region. */
export function endpointOf({ region, backups }: Pick<Stack, 'region' | 'backups'>): string {
  return backups?.endpoint ?? `https://${region}-1.linodeobjects.com`;
}
