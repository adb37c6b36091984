import { REDIS } from '@perlstack/configs';
import { look, type Seen } from '@perlstack/redis';
import type { RedisRestoreRun } from './restore.js';

/** What a restore needs to know of a cache host. */
export interface HostSeen extends Pick<Seen[string], 'redis' | 'sentinel'> {
  /** Its settings were rendered and applied. */
  readonly configured: boolean;
  /** A Redis runs, or is about to. */
  readonly runs: boolean;
  readonly hasData: boolean;
  /** What an unfinished restore left in the folder of the data. */
  readonly mark: { readonly backup: string; readonly loaded: boolean } | null;
  /** In bytes, of the file system with the data. */
  readonly freeBytes: number;
  /** Of the whole host. */
  readonly memoryBytes: number;
}

/** The file in the folder of the data that says which snapshot they are of, until the whole tier has come to it. */
export const MARK = '.restoring';

/** Arguments: folder of the data, its mark, unit, file of the settings. */
const LOOK_SCRIPT = `
set -u
folder=$1 mark=$2 unit=$3 settings=$4
[ ! -e "$settings" ] || echo configured
case $(systemctl show -p ActiveState --value -- "$unit") in inactive | failed) ;; *) echo runs ;; esac
for data in "$folder"/dump.rdb "$folder"/appendonlydir; do if [ -e "$data" ]; then echo data; fi; done
[ ! -e "$folder/$mark" ] || printf 'mark %s\\n' "$(cat -- "$folder/$mark")"
printf 'free %s\\n' "$(df -B1 --output=avail -- "$(dirname -- "$folder")" | tail -n 1)"
printf 'memory %s\\n' "$(awk '/^MemTotal:/ { printf "%d", $2 * 1024 }' /proc/meminfo)"
echo end
`;

/** Looks at every host of the tier; one that does not answer is left out. Writes nothing. */
export async function seeTier(
  { remote, tier, signal }: Pick<RedisRestoreRun, 'remote' | 'tier' | 'signal'>,
  onSilent: (host: string, fault: string) => void,
): Promise<Readonly<Record<string, HostSeen>>> {
  // Where all are stopped no failover ever comes to its end.
  const known = await look(remote, tier, { signal, onSilent, settleMs: 0 });
  const args = [folderOf(REDIS.liveFile), MARK, REDIS.unit, `${REDIS.folder}/start.conf`];
  const entries = Object.entries(known).map(async ([host, { redis, sentinel }]) => {
    const options = { sudo: true, signal, timeoutMs: 60_000, name: 'looking at Redis' };
    const { stdout } = await remote.script(host, LOOK_SCRIPT, args, options);
    return [host, { redis, sentinel, ...readLook(stdout) }] as const;
  });
  return Object.fromEntries(await Promise.all(entries));
}

export const folderOf = (path: string): string => path.slice(0, path.lastIndexOf('/'));

/** What the script said. @throws Error when that is not complete */
export function readLook(output: string): Omit<HostSeen, 'redis' | 'sentinel'> {
  const said = new Map(
    output.split('\n').map((line) => {
      const [name = '', ...words] = line.trim().split(/\s+/);
      return [name, words] as const;
    }),
  );
  if (!said.has('end')) throw new Error('the output of the looking script is not complete');
  const [backup, state] = said.get('mark') ?? [];
  return {
    ...{ configured: said.has('configured'), runs: said.has('runs'), hasData: said.has('data') },
    mark: backup === undefined ? null : { backup, loaded: state === 'loaded' },
    freeBytes: Number(said.get('free')?.[0]),
    memoryBytes: Number(said.get('memory')?.[0]),
  };
}
