import type { Handler } from '@perlstack/procedure';
import { RemoteError } from '@perlstack/remote';
import { act, EVIDENCE_LINES, type Hands, hostsAtWork, linesOf, ReleaseFault, SHORT_MS } from './hands.js';
import type { MigrateStep } from './steps.js';

/**
 * Arguments: release, seconds, how many of the following are folders for @INC, those, program and its arguments. It runs as a
 * unit of its own, which a lost connection or a killed runner does not end half way, and which can't run twice at once: who
 * comes while it runs waits for it. The unit itself notes its success. Prints what the program says, which goes to a file: the
 * journal may be behind when the unit has ended. Exit 70: no such program.
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
install -d -m 755 "$state"
log=$state/migrate.log
[ -e "$log" ] || install -m 600 /dev/null "$log"
at=$(stat -c %s "$log") ended=$(mktemp)
trap 'rm -f "$ended"' EXIT
# Prints what has come since: tail would follow by asking once a second where the host has no inotify left.
say_new() {
  size=$(stat -c %s "$log")
  [ "$size" -gt "$at" ] || return 0
  tail -c "+$((at + 1))" "$log" | head -c "$((size - at))"
  at=$size
}
state_of() { systemctl show -p ActiveState --value "$name"; }
while case $(state_of) in active | activating | deactivating | reloading) true ;; *) false ;; esac; do say_new; sleep 0.1; done
[ ! -e "$mark" ] || { say_new; exit 0; }
systemctl reset-failed "$name" 2>/dev/null || true
systemd-run --quiet --wait --collect --unit="$name" -p Type=oneshot -p "TimeoutStartSec=$limit" -p "StandardOutput=append:$log" \
  -p "User=$user" -p "Group=$user" -p "WorkingDirectory=$releases/$id" -p "EnvironmentFile=-$environment" \
  -p "Environment=$(property "$id" Environment)" -p "Environment=PERL5LIB=$path" \
  -p NoNewPrivileges=yes -p ProtectSystem=strict -p ProtectHome=yes -p PrivateTmp=yes \
  -p "StateDirectory=$user" -p StateDirectoryMode=0750 -p "ReadWritePaths=$run" \
  -p "ExecStartPost=+/usr/bin/touch $mark" -- "$program" "$@" </dev/null >&2 && echo 0 >"$ended" || echo "$?" >"$ended" &
until [ -s "$ended" ]; do say_new; sleep 0.1; done
say_new
# What earlier ones said is of no use but for a while.
[ "$(stat -c %s "$log")" -le 1048576 ] || : >"$log"
exit "$(cat "$ended")"
`.replaceAll('\\${', '${');

/** Argument: release. Notes that its migration ran, on another host, for the deploys that come when that one is gone. */
const NOTE_MIGRATED = String.raw`
[ ! -d "$releases/$1" ] || touch "$releases/$1/.perlstack-migrated"
`;

const NOTE_LIMIT = { timeoutMs: 10_000 };

/** Notes on the others too that the migration ran: even where the run was told to stop meanwhile. @returns where it is not noted */
async function noteMigrated(hands: Hands, { host, release }: MigrateStep): Promise<string[]> {
  const { signal } = new AbortController();
  const others = hostsAtWork(hands).filter(({ name }) => name !== host);
  const noted = await Promise.allSettled(
    others.map(({ name }) =>
      act(hands, name, ['noting the migration', NOTE_MIGRATED], [release], { signal }, NOTE_LIMIT),
    ),
  );
  return others.filter((_other, index) => noted[index]?.status === 'rejected').map(({ name }) => name);
}

/** Brings the database to what a release needs; what failed has to leave it as it was, which is the program's own affair. */
export function migrating(hands: Hands): Handler<MigrateStep> {
  const { app } = hands.site;
  return {
    run: async (step, context) => {
      const { host, release, command } = step;
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
        const lines = [...said, ...linesOf(error.stderr)].slice(-EVIDENCE_LINES);
        throw new ReleaseFault(
          `${host}: the migration of ${release} (${command.join(' ')}) failed: ${lines.at(-1) ?? `exit code ${error.code}`}`,
          lines,
        );
      }
      const unnoted = await noteMigrated(hands, step);
      return `on ${host}${unnoted.length > 0 ? `; could not be noted on ${unnoted.join(', ')}` : ''}`;
    },
  };
}
