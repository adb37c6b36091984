import { found } from './cloud.js';
import type { Config, Disk, Linode } from './model.js';
import type { Call } from './router.js';

/** What the parts of a path name; a 404 where there is none. */

export function linodeOf(call: Call): Linode {
  return call.cloud.linode(call.id('linode'));
}

export function configOf(call: Call, linode: Linode): Config {
  const id = call.id('config');
  return found(linode.configs.find((config) => config.id === id));
}

export function diskOf(call: Call, linode: Linode): Disk {
  const id = call.id('disk');
  return found(linode.disks.find((disk) => disk.id === id));
}
