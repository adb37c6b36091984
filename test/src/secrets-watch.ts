import type { HostsSite } from './hosts-site.js';

type Consoles = Pick<HostsSite, 'console'>;

/**
 * Reads the process lists of hosts.
 *
 * @param environments whether with what is in them, which only root and the user of a process can read
 * @returns ends that, and gives every line that was seen
 */
export function watchProcesses(
  { console }: Consoles,
  hosts: readonly string[],
  environments = true,
): () => Promise<string> {
  const list = `ps axww${environments ? 'e' : ''} -o args=`;
  const watch = `rm -f /run/watched; i=0; while [ ! -e /run/watched ] && [ $i -lt 6000 ]; do ${list}; i=$((i + 1)); sleep 0.02; done | sort -u`;
  const watching = hosts.map((host) => console(host, watch));
  return async () => {
    await Promise.all(hosts.map((host) => console(host, 'touch /run/watched')));
    return (await Promise.all(watching)).map(({ output }) => output).join('\n');
  };
}

const FOLDERS = '/tmp /var/tmp /run /var/log /root /home /etc /srv /var/lib';

/** Where a restore has anything. The book of tickets, whose URLs only write, lies elsewhere. */
export const RESTORE_FOLDERS = '/run /tmp /var/tmp /var/lib/postgresql /etc/postgresql';

/** Which files of a host hold one of some words. At the console, because sudo writes into the journal what it runs. */
export async function filesHolding(
  { console }: Consoles,
  host: string,
  words: readonly string[],
  folders = FOLDERS,
): Promise<string> {
  const input = `<<'WORDS'\n${words.join('\n')}\nWORDS`;
  return (await console(host, `grep -rlaF -D skip -f - ${folders} ${input}`)).output;
}
