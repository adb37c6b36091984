import type { ManagedDirectory } from '../bundle.js';
import { oneLine } from './refuse.js';
import { words } from './systemd.js';

/**
 * The text of a tmpfiles.d file that makes directories at every boot.
 *
 * @throws UserError when a path holds a control character, whose escapes systemd 252 does not know here.
 */
export function printTmpfiles(heading: string, directories: readonly ManagedDirectory[]): string {
  const lines = directories.map(({ path, mode, owner, group }) => {
    return `d ${words(oneLine(path, 'tmpfiles.d'), mode.toString(8).padStart(4, '0'), owner, group).unitText} -\n`;
  });
  return `# ${oneLine(heading, 'tmpfiles.d')}\n${lines.join('')}`;
}
