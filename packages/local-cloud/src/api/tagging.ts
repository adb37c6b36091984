import type { Cloud } from './cloud.js';

/** Makes the tags known to the account and returns them. */
export function useTags(cloud: Cloud, tags: readonly string[]): string[] {
  for (const tag of tags) cloud.tags.add(tag);
  return [...tags];
}
