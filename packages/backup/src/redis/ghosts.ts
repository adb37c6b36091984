import { SENTINEL } from '@perlstack/configs';
import { ASK } from '@perlstack/redis';
import { RemoteError, type Remote } from '@perlstack/remote';
import { messageOf } from '@perlstack/stack';
import type { CacheTier } from './tier.js';

/** How long a Sentinel may take until it knows again whom it knew: of replicas it hears every 10 s. */
const AGAIN_SECONDS = 40;

/**
 * Has a Sentinel forget replicas that never were: redis-cli, while it copies a primary, stands among its replicas, with the
 * port 0. Sentinel keeps whom it has once seen, and forgets one only with all others; whom it knew before it has to know
 * again before this ends. While a failover may come nothing is done. Prints what was done.
 *
 * Arguments: password file, port, the primary's name, seconds.
 */
const FORGET_SCRIPT = `${ASK}
auth=$1 port=$2 service=$3 seconds=$4
names() { ask "$auth" "$port" "SENTINEL REPLICAS $service" | sed -n '/^name$/{n;p;}'; }
view() { ask "$auth" "$port" "SENTINEL MASTER $service" | sed -n "/^$1\\$/{n;p;}"; }
known=$(names)
ghosts=$(printf '%s\\n' "$known" | grep -c ':0$')
[ "$ghosts" -gt 0 ] || exit 0
[ "$(view flags)" = master ] || { echo 'busy'; exit 0; }
replicas=$(printf '%s\\n' "$known" | grep -vc ':0$')
others=$(view num-other-sentinels)
ask "$auth" "$port" "SENTINEL RESET $service" > /dev/null
until [ "$(view num-slaves)" -ge "$replicas" ] 2> /dev/null && [ "$(view num-other-sentinels)" -ge "$others" ] 2> /dev/null; do
  [ $((seconds -= 1)) -gt 0 ] || { echo 'Sentinel does not know all replicas and Sentinels again' >&2; exit 1; }
  sleep 1
done
echo forgotten
`;

/**
 * The Sentinels, one after the other, so that those that know all are always the more. A snapshot is no less whole where
 * this is not done: it is told, and the next backup does it.
 */
export async function forgetGhosts(
  { remote, tier }: { readonly remote: Remote; readonly tier: CacheTier },
  warn: (line: string) => void,
  signal: AbortSignal,
): Promise<void> {
  if (!tier.sentinels) return;
  const args = [SENTINEL.passwordFile, String(SENTINEL.port), tier.service, String(AGAIN_SECONDS)];
  const options = { sudo: true, signal, timeoutMs: 120_000, name: 'asking Sentinel' };
  for (const { host } of tier.members) {
    try {
      const { stdout } = await remote.script(host, FORGET_SCRIPT, args, options);
      if (stdout.trim() === 'busy')
        warn(
          `${host}: its Sentinel counts a copy among the replicas, and is busy; the next backup looks again`,
        );
    } catch (error) {
      if (signal.aborted || !(error instanceof RemoteError)) throw error;
      warn(`${messageOf(error)}; nothing more is done to the Sentinels, and the next backup looks again`);
      return;
    }
  }
}
