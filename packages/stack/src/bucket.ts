import type { Stack } from './schema.js';

/**
 * Regions whose endpoint is not the first of their own name, of those that had Object Storage in April 2026
 * (`GET /object-storage/endpoints`).
 */
const ENDPOINTS: Readonly<Record<string, string>> = {
  'de-fra-2': 'de-fra-1',
  'jp-tyo-3': 'jp-tyo-1',
  'sg-sin-2': 'sg-sin-1',
};

/** Where the bucket of a stack is, without the bucket: as the stack file says, or as Linode has it in the region. */
export function endpointOf({ region, backups }: Pick<Stack, 'region' | 'backups'>): string {
  return backups?.endpoint ?? `https://${ENDPOINTS[region] ?? `${region}-1`}.linodeobjects.com`;
}
