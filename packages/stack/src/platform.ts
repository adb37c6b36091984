import type { Stack } from './schema.js';

/** What a distribution's own packages bring: major versions, since files and commands differ between them. */
export interface Platform {
  readonly codename: string;
  readonly postgresql: 15 | 16 | 17;
  readonly redis: 7 | 8;
  /** Minor version that the rendered nginx.conf has to be right for. */
  readonly nginx: string;
}

const PLATFORMS: Readonly<Record<Stack['image'], Platform>> = {
  'linode/debian12': { codename: 'bookworm', postgresql: 15, redis: 7, nginx: '1.22' },
  'linode/debian13': { codename: 'trixie', postgresql: 17, redis: 8, nginx: '1.26' },
  'linode/ubuntu24.04': { codename: 'noble', postgresql: 16, redis: 7, nginx: '1.24' },
};

/** The platform that a stack's hosts run. */
export function platformOf({ image }: Pick<Stack, 'image'>): Platform {
  return PLATFORMS[image];
}
