import type { Handler } from '@perlstack/procedure';
import { RemoteError } from '@perlstack/remote';
import { act, EVIDENCE_LINES, type Hands, linesOf, ReleaseFault, SHORT_MS } from './hands.js';
import type { MigrateStep } from './steps.js';

/**
 * Arguments: release, seconds, how many of the following are folders for @INC, those, program and its arguments. It runs as a
 * unit of its own, which a lost connection or a killed runner does not end half way, and which can't run twice at once: who
 * comes while it runs waits for it. The unit itself notes its success. Prints what the program says. Exit 70: no such program.
 */
const MIGRATE = String.raw`
id=$1 limit=$2 folders=$3
shift 3
path=
while [ "$folders" -gt 0 ]; do
  path="$path\${path:+:}$releases/$id/$1"
  shift
  folders=$((folders - 1))
done
mark=$releases/$id/.perlstack-migrated
name=perlstack-migrate-\${unit%@}.service
program=$1
shift
case $program in */*) program=$releases/$id/$program ;; *) program=$(command -v "$program" || echo "$program") ;; esac
[ -f "$program" ] && [ -x "$program" ] || { echo "$program is no program that can be run" >&2; exit 70; }
cursor=$(journalctl --no-pager --quiet --lines=1 --output=cat --show-cursor 2>/dev/null | sed -n 's/^-- cursor: //p')
# From there on, so that nothing is missed however late it begins to follow.
journalctl --follow --no-tail \${cursor:+--after-cursor="$cursor"} --no-pager --quiet --output=cat --identifier="$name" 2>/dev/null &
follower=$!
trap 'kill "$follower" 2>/dev/null || true' EXIT
state_of() { systemctl show -p ActiveState --value "$name"; }
while case $(state_of) in active | activating | deactivating | reloading) true ;; *) false ;; esac; do sleep 0.2; done
[ ! -e "$mark" ] || exit 0
systemctl reset-failed "$name" 2>/dev/null || true
rc=0
systemd-run --quiet --wait --collect --unit="$name" -p Type=oneshot -p "TimeoutStartSec=$limit" -p "SyslogIdentifier=$name" \
  -p "User=$user" -p "Group=$user" -p "WorkingDirectory=$releases/$id" -p "EnvironmentFile=-$environment" \
  -p "Environment=$(property "$id" Environment)" -p "Environment=PERL5LIB=$path" \
  -p NoNewPrivileges=yes -p ProtectSystem=strict -p ProtectHome=yes -p PrivateTmp=yes \
  -p "StateDirectory=$user" -p StateDirectoryMode=0750 -p "ReadWritePaths=$run" \
  -p "ExecStartPost=+/usr/bin/touch $mark" -- "$program" "$@" </dev/null || rc=$?
journalctl --sync 2>/dev/null || true
sleep 0.3
# Who follows may be behind: of a failure nothing may be missing.
if [ "$rc" -ne 0 ]; then
  journalctl --no-pager --quiet --output=cat --identifier="$name" \${cursor:+--after-cursor="$cursor"} --lines=50 2>/dev/null >&2 || true
fi
exit "$rc"
`.replaceAll('\\${', '${');

/** Brings the database to what a release needs; what failed has to leave it as it was, which is the program's own affair. */
export function migrating(hands: Hands): Handler<MigrateStep> {
  const { app } = hands.site;
  return {
    run: async ({ host, release, command }, context) => {
      const seconds = Math.ceil(app.hooks.timeout / 1_000);
      const folders = [...app.lib, 'local/lib/perl5'];
      const args = [release, String(seconds), String(folders.length), ...folders, ...command];
      const said: string[] = [];
      const onLine = (line: string): void => {
        said.push(line);
        context.progress(line);
      };
      try {
        const limit = { timeoutMs: 2 * app.hooks.timeout + SHORT_MS, onLine };
        await act(hands, host, ['migration', MIGRATE], args, context, limit);
      } catch (error) {
        if (!(error instanceof RemoteError) || error.reason !== 'exit') throw error;
        const lines = [...new Set([...said, ...linesOf(error.stderr)])].slice(-EVIDENCE_LINES);
        throw new ReleaseFault(
          `${host}: the migration of ${release} (${command.join(' ')}) failed: ${lines.at(-1) ?? `exit code ${error.code}`}`,
          lines,
        );
      }
      return `on ${host}`;
    },
  };
}
