import type { ManagedDirectory } from '../bundle.js';
import { words } from './systemd.js';

/** The text of a tmpfiles.d file that makes directories at every boot. */
export function printTmpfiles(heading: string, directories: readonly ManagedDirectory[]): string {
  const lines = directories.map(({ path, mode, owner, group }) => {
    return `d ${words(path, mode.toString(8).padStart(4, '0'), owner, group).unitText} -\n`;
  });
  return `# ${heading}\n${lines.join('')}`;
}
