import { readFile, writeFile } from 'node:fs/promises';

const SETTING = '/proc/sys/fs/inotify/max_user_instances';

/**
 * A host's systemd and its helpers hold seven inotify instances, and the instances of all hosts count as root's: the
 * kernel's 128 are enough for eighteen hosts, in however many clouds; the next one would not boot.
 */
const ENOUGH = 1_024;

/**
 * Lets root have as many inotify instances as hosts need; a larger limit stays as it is.
 *
 * @param setting file of the kernel's setting
 */
export async function allowInotify(setting = SETTING): Promise<void> {
  if (Number(await readFile(setting, 'utf8')) >= ENOUGH) return;
  // Where the setting can't be written, inside a container for instance, some hosts still run.
  await writeFile(setting, `${ENOUGH}\n`).catch(() => undefined);
}
