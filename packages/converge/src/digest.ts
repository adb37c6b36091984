import type { ManagedFile, ServiceConfig } from '@perlstack/configs';
import { sha256 } from './records.js';

/**
 * Digest of all that a service has to be told of when it changes. A host keeps the digest that was last brought into
 * force, so that a change of files whose reload was never done is noticed.
 */
export function serviceDigest({ presets = [], files, removes, unit }: ServiceConfig): string {
  const parts = (list: readonly ManagedFile[]) =>
    list.map(({ path, content, owner, group, mode }) => [path, sha256(content), owner, group, mode]);
  const all = [parts(files), removes, unit?.name ?? null, ...(presets.length > 0 ? [parts(presets)] : [])];
  return sha256(JSON.stringify(all));
}
