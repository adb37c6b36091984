import { REDIS, SENTINEL, SYSCTL } from './layout.js';

/** Longest a background save or rewrite may take before the change that waits for it is given up, in seconds. */
const SAVE_SECONDS = 90;

/**
 * What both scripts begin with. Passwords and settings reach redis-cli through its standard input, in the words of
 * the files themselves: Redis quotes alike in both.
 */
function preamble(heading: string, folder: string, liveFile: string, port: number): string {
  return `#!/bin/sh
# ${heading}
set -u
folder=${folder}
live=${liveFile}
server='-h 127.0.0.1 -p ${port}'
auth=$(cat -- "$folder/auth")

# The answer to one command.
ask() {
  # $server is several words.
  printf '%s\\n%s\\n' "$auth" "$1" | redis-cli --no-raw $server 2>&1 | tail -n +2
}
die() { printf '%s\\n' "$1" >&2; exit 1; }
must() { # what command
  said=$(ask "$2")
  [ "$said" = OK ] || die "$1: $said"
}
# Logs in with the rendered password, or else with the one that the running server wrote down: it may be yet to hear
# of a new one.
log_in() {
  [ "$(ask 'ACL WHOAMI')" != '"default"' ] || return 0
  rendered=$auth
  auth=$(earlier)
  [ "$(ask 'ACL WHOAMI')" = '"default"' ] || die "neither the rendered nor the earlier password is taken: $(ask 'ACL WHOAMI')"
  must 'the new password' 'ACL LOAD'
  auth=$rendered
}
# Settings of files, one a line, as Redis quotes them.
settings() { for file; do sed -n '/^[a-z]/p' "$folder/$file"; done; }
# Names of those whose wanted value is not the actual one; both as lines of name and value.
differing() { # actual wanted
  printf '%s\\n--\\n%s\\n' "$1" "$2" | awk '
    $0 == "--" { wanted = 1; next }
    { name = $0; sub(/ ".*/, "", name) }
    !wanted { actual[name] = $0; next }
    actual[name] != $0 { print name }'
}
same() { # actual wanted program
  [ "$(ask 'ACL WHOAMI')" = '"default"' ] || die "$3 does not answer, or not to the rendered password"
  names=$(differing "$1" "$2")
  [ -z "$names" ] || die "$3 does not hold the rendered value of: $(echo $names)"
}
# Starts the program on a scratch folder and asks it there; it leaves nothing behind.
scratch() { # program live-content, further arguments
  program=$1
  scratch=$(mktemp -d) || exit 1
  trap 'end_scratch' EXIT
  trap 'exit 143' TERM INT HUP PIPE
  printf '%s\\n' "$2" > "$scratch/live"
  chown -R redis:redis -- "$scratch"
  shift 2
  server="-s $scratch/socket"
  setpriv --reuid=redis --regid=redis --clear-groups "$program" "$scratch/live" --include "$folder/start.conf" "$@" \\
    --port 0 --unixsocket "$scratch/socket" --dir "$scratch" --logfile '' --daemonize no > "$scratch/log" 2>&1 &
  pid=$!
  until [ "$(ask 'ACL WHOAMI')" = '"default"' ]; do
    kill -0 $pid 2> /dev/null || die "$(grep -v ' [*] ' "$scratch/log")"
    tries=$((\${tries:-0} + 1))
    [ $tries -lt 100 ] || die "$program does not answer: $(ask 'ACL WHOAMI') $(tail -n 5 "$scratch/log")"
    sleep 0.1
  done
}
# Asks for the end until it comes: while Redis writes its first append-only file it refuses, and systemd, which by
# Debian's unit waits without a limit, would ask but once.
stop() {
  while kill -TERM "\${MAINPID:-}" 2> /dev/null; do
    for pause in 1 2 3 4 5 6 7 8 9 10; do
      sleep 0.1
      kill -0 "$MAINPID" 2> /dev/null || return 0
    done
  done
}
end_scratch() {
  [ -z "\${pid:-}" ] || { kill $pid 2> /dev/null; wait $pid 2> /dev/null; }
  rm -rf -- "$scratch"
}
`;
}

const CASES = `
case \${1:-} in
  apply) apply ;;
  verify) verify ;;
  check) check ;;
  stop) stop ;;
  *) die "usage: $0 apply|verify|check|stop" ;;
esac
`;

/** Brings Redis's rendered settings into force (\`apply\`), compares them (\`verify\`), tries them out (\`check\`); ends it (\`stop\`). */
export function redisScript(heading: string): string {
  return `${preamble(heading, REDIS.folder, REDIS.liveFile, REDIS.port)}
earlier() { sed -n 's/^masterauth /AUTH /p' "$live"; }

apply() {
  # A container may not; Redis runs without.
  sysctl -q -p ${SYSCTL} 2> /dev/null || :
  log_in
  must 'users.acl' 'ACL LOAD'
  # All of them or, when one is refused, none.
  must 'settings.conf' "CONFIG SET $(settings settings.conf secrets.conf | tr '\\n' ' ')"
  persist
  must 'writing down the settings' 'CONFIG REWRITE'
}

# The data must at every moment be in a form that the next start would read, so the new form is written before the
# old one is given up, and the file that says which is read comes last.
persist() {
  now=$(values appendonly)
  wanted=$(settings persistence.conf | grep '^appendonly ')
  save=$(settings persistence.conf | grep '^save ')
  case $now:$wanted in
    'appendonly "no":appendonly "yes"')
      must 'switching the append-only file on' 'CONFIG SET appendonly yes'
      await rewritten
      must 'setting save' "CONFIG SET $save" ;;
    'appendonly "yes":appendonly "no"')
      must 'setting save' "CONFIG SET $save"
      if [ "$save" != 'save ""' ]; then
        saves=$(persistence rdb_saves)
        await saved
      fi
      must 'switching the append-only file off' 'CONFIG SET appendonly no' ;;
    *) must 'setting save' "CONFIG SET $save" ;;
  esac
}
await() {
  tries=0
  until "$1"; do
    tries=$((tries + 1))
    [ $tries -lt ${SAVE_SECONDS * 5} ] || die 'the data could not be written in its new form in ${SAVE_SECONDS} s: see the log of ${REDIS.unit}'
    sleep 0.2
  done
}
# The values of fields, in the order in which Redis tells them, and all of the same moment.
persistence() {
  ask 'INFO persistence' | tr -d '\\r' | awk -F : -v names="$*" 'index(" " names " ", " " $1 " ") { printf "%s%s", sep, $2; sep = " " }'
}
rewritten() {
  [ "$(persistence aof_rewrite_in_progress aof_rewrite_scheduled aof_last_bgrewrite_status)" = '0 0 ok' ]
}
# Redis counts a save when it begins, and refuses one beside another, which may have begun before: then it is asked again.
saved() {
  set -- $(persistence rdb_bgsave_in_progress rdb_last_bgsave_status rdb_saves)
  [ "\${1:-}" = 0 ] || return 1
  if [ "\${3:-0}" -gt "$saves" ]; then
    [ "$2" = ok ] || die "the data could not be written: see the log of ${REDIS.unit}"
    return 0
  fi
  ask 'BGSAVE SCHEDULE' > /dev/null
  return 1
}

# The values that Redis has, as lines of a file.
values() {
  ask "CONFIG GET $*" | sed -n 's/^ *[0-9]*) //p' | paste -d ' ' - - | sed 's/^"\\([a-z-]*\\)"/\\1/'
}
compare() { # files
  wanted=$(settings "$@")
  same "$(values $(printf '%s\\n' "$wanted" | cut -d ' ' -f 1))" "$wanted" 'Redis'
}
verify() { compare start.conf settings.conf secrets.conf persistence.conf; }

check() {
  scratch redis-server "$(settings persistence.conf)" --include "$folder/settings.conf" --include "$folder/secrets.conf"
  compare settings.conf secrets.conf persistence.conf
  wanted=$(settings start.conf | grep -Ev '^(port|dir|logfile) ')
  same "$(values $(printf '%s\\n' "$wanted" | cut -d ' ' -f 1))" "$wanted" 'Redis'
  # What can't be changed at run time has no place in these files.
  must 'settings.conf' "CONFIG SET $(settings settings.conf secrets.conf | tr '\\n' ' ')"
}
${CASES}`;
}

/** The same for a Sentinel that watches \`master\`. */
export function sentinelScript(heading: string, master: string, quorum: number): string {
  return `${preamble(heading, SENTINEL.folder, SENTINEL.liveFile, SENTINEL.port)}
master=${master}
quorum=${quorum}
earlier() { sed -n "s/^sentinel auth-pass $master /AUTH /p" "$live" | tail -n 1; }

apply() {
  log_in
  must 'users.acl' 'ACL LOAD'
  must 'quorum' "SENTINEL SET $master quorum $quorum"
  commands=$(settings settings.conf secrets.conf |
    sed -E "s/^sentinel ([a-z-]+) $master /SENTINEL SET $master \\\\1 /; s/^sentinel /SENTINEL CONFIG SET /")
  # Each is one line.
  while read -r command; do
    must "$(printf %s "$command" | cut -d ' ' -f 3-4)" "$command"
  done <<COMMANDS
$commands
COMMANDS
}

# What Sentinel has, in the words of the files; it tells no one the password of the primary.
values() {
  ask 'SENTINEL CONFIG GET *' | sed -n 's/^ *[0-9]*) //p' | paste -d ' ' - - | sed -n 's/^"\\([a-z-]*\\)"/sentinel \\1/p'
  ask "SENTINEL MASTER $master" | sed -n 's/^ *[0-9]*) //p' | paste -d ' ' - - | sed -n "s/^\\"\\([a-z-]*\\)\\"/sentinel \\1 $master/p"
}
verify() { compare; }
compare() {
  same "$(values)" "$(settings settings.conf; settings secrets.conf | grep -v "^sentinel auth-pass "; echo "sentinel quorum $master \\"$quorum\\"")" 'Sentinel'
}

check() {
  # It watches a port on which nothing listens.
  scratch redis-sentinel "sentinel monitor $master 127.0.0.1 1 1" --include "$folder/settings.conf" --include "$folder/secrets.conf"
  apply
  compare
}
${CASES}`;
}
