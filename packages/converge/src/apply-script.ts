import { GUARD_UNIT, READ_RECORDS, REMEMBER, TAKE_LOCK } from './layout.js';

/** Exit codes of the scripts below: the old state is back; it could not be brought back. */
export const ROLLED_BACK = 70;
export const ROLLBACK_FAILED = 71;

/** Exit code when nobody confirmed in time that the host can still be reached, and it went back by itself. */
export const WENT_BACK = 72;

/** How long a probe may take to succeed after a reload, in seconds. */
const PROBE_SECONDS = 10;

/** For as long after a reload, a daemon may still answer by its old configuration: a probe would tell nothing. */
const SETTLE_SECONDS = 0.5;

/**
 * Keeping and restoring what was there before. Expects `$base`, `$service`.
 *
 * A backup holds `files/<path>` of what was there, `absent/<path>` for what was not, `unit` with how the unit stood,
 * `digest` of what was in force, `list` of how its files were last left, and `complete` once the change is in force. As long as it is not complete, a rerun
 * keeps to what was saved first: that is the state in which the service last worked.
 */
const BACKUP = `
backup=$base/backup/$service
digest_file=$base/$service.digest
list_file=$base/$service.files
guard=$base/guard/$service
guard_unit=${GUARD_UNIT}$service

put() {
  mkdir -p -- "\${2%/*}/" || return 1
  new=\${2%/*}/.\${2##*/}.perlstack-new
  rm -rf -- "$new" && cp -a -- "$1" "$new" || return 1
  [ -L "$new" ] || sync -- "$new" || return 1
  mv -fT -- "$new" "$2"
}
save() {
  if [ -e "$backup/files$1" ] || [ -L "$backup/files$1" ] || [ -e "$backup/absent$1" ]; then return 0; fi
  if [ -d "$1" ] && [ ! -L "$1" ]; then echo "$1 is a folder: move it away" >&2; return 1; fi
  if [ -e "$1" ] || [ -L "$1" ]; then
    mkdir -p -- "$backup/files\${1%/*}" && rm -f -- "$backup/saving" &&
      cp -a -- "$1" "$backup/saving" && mv -fT -- "$backup/saving" "$backup/files$1"
  else
    mkdir -p -- "$backup/absent\${1%/*}" && : > "$backup/absent$1"
  fi
}
save_unit() { # unit action daemonReload
  if [ -e "$backup/unit" ]; then
    read -r _ before rest < "$backup/unit" || return 1
    # What a rerun restarts has to be restarted on the way back too, even if the first run only reloaded it.
    if [ "$2" != restart ] || [ "$before" = restart ]; then return 0; fi
    set -- "$1" restart "$rest"
  elif [ "$1" = - ]; then
    set -- - none "$3 none"
  else
    set -- "$1" "$2" "$3 $(state "$1") $(enabled "$1")"
  fi
  printf '%s %s %s\\n' "$1" "$2" "$3" > "$backup/unit.new" && mv -f -- "$backup/unit.new" "$backup/unit"
}
state() { if systemctl is-active --quiet "$1"; then echo active; else echo inactive; fi; }
enabled() { case $(systemctl is-enabled "$1" 2> /dev/null) in enabled) echo enabled ;; disabled) echo disabled ;; *) echo fixed ;; esac; }
bring_in() { # unit action
  case $2 in
    none) : ;;
    *) systemctl "$2" "$1" || { journal "$1"; return 1; } ;;
  esac
}
start() { systemctl reset-failed "$1" 2> /dev/null; systemctl start "$1" || { journal "$1"; return 1; }; }
journal() { journalctl -u "$1" -n 8 --no-pager -o cat >&2; }

disarm() {
  [ -e "$guard" ] || return 0
  rm -f -- "$guard"
  rmdir --ignore-fail-on-non-empty -- "$base/guard"
  systemctl stop "$guard_unit.timer" 2> /dev/null || :
}

restore() {
  [ -d "$backup" ] || return 0
  rm -f -- "$digest_file"
  restored=yes
  list=$(cd -- "$backup/files" && find . '(' -type f -o -type l ')' -printf '/%P\\n')
  while read -r path; do
    [ -z "$path" ] || put "$backup/files$path" "$path" || restored=no
  done <<LIST
$list
LIST
  list=$(cd -- "$backup/absent" && find . -type f -printf '/%P\\n')
  while read -r path; do
    [ -z "$path" ] || rm -f -- "$path" || restored=no
  done <<LIST
$list
LIST
  if [ -e "$backup/unit" ]; then
    read -r unit action daemon_reload was_active was_enabled < "$backup/unit"
    [ "$daemon_reload" = no ] || systemctl daemon-reload || restored=no
    if [ "$unit" != - ]; then restore_unit || restored=no; fi
  fi
  [ $restored = yes ] || return 1
  if [ -e "$backup/list" ]; then put "$backup/list" "$list_file"; else rm -f -- "$list_file"; fi
  if [ -e "$backup/digest" ]; then put "$backup/digest" "$digest_file"; fi
  disarm
  rm -rf -- "$backup"
  rmdir --ignore-fail-on-non-empty -- "$base/backup"
}
restore_unit() {
  case $was_enabled$(enabled "$unit") in
    enableddisabled) systemctl enable --quiet "$unit" ;;
    disabledenabled) systemctl disable --quiet "$unit" ;;
  esac
  if [ "$was_active" = inactive ]; then
    systemctl stop "$unit" 2> /dev/null || :
  elif systemctl is-active --quiet "$unit"; then
    bring_in "$unit" "$action"
  else
    start "$unit"
  fi
}
`;

/**
 * Goes back unless somebody confirmed: run by a timer of the host. Arguments: folder, service.
 */
export const GUARD_SCRIPT = `
set -u
base=$1 service=$2
${TAKE_LOCK}
${BACKUP}
[ -e "$guard" ] || exit 0
restore || exit ${ROLLBACK_FAILED}
`;

/** Calls the timer off. Arguments: folder, service. */
export const CONFIRM_SCRIPT = `
set -u
base=$1 service=$2
${TAKE_LOCK}
${BACKUP}
[ -e "$guard" ] || exit ${WENT_BACK}
disarm
`;

/**
 * Puts a service's staged files in place, one rename each, and brings them into force. Whatever fails on the way, and
 * a cancel too, takes everything back. It says nothing until it is through: when nobody listens any more, it still
 * goes to one end or the other.
 *
 * Arguments: folder, service. Input: `file` path; `remove` path; `unit` name action enabled state; `daemon-reload`;
 * `probe` command in base64; `remember` as in REMEMBER; `guard` script in base64, seconds; `digest` value.
 */
export const APPLY_SCRIPT = `
set -u
base=$1 service=$2
stage=$base/stage
${TAKE_LOCK}
${READ_RECORDS}
${BACKUP}
${REMEMBER}
trap '' PIPE
trap 'code=143; go_back' TERM INT HUP

each() {
  function=$2
  while IFS="$tab" read -r kind a b c d e; do
    if [ "$kind" = "$1" ]; then "$function" "$a" "$b" "$c" "$d" "$e" || return 1; fi
  done <<RECORDS
$records
RECORDS
}
has() { printf '%s\\n' "$records" | grep -q "^$1"; }
remember_unit() { save_unit "$1" "$2" "$daemon_reload"; }
prepare() {
  [ ! -e "$backup/complete" ] || rm -rf -- "$backup"
  mkdir -p -- "$backup/files" "$backup/absent" || return 1
  if [ -e "$list_file" ] && [ ! -e "$backup/list" ]; then cp -- "$list_file" "$backup/list" || return 1; fi
  each file save && each remove save || return 1
  if has "unit$tab"; then each unit remember_unit; else save_unit - none "$daemon_reload"; fi || return 1
  # From here on nobody knows what the service runs with, until the end says so.
  if [ -e "$digest_file" ] && [ ! -e "$backup/digest" ]; then cp -- "$digest_file" "$backup/digest" || return 1; fi
  rm -f -- "$digest_file"
}
swap() { put "$stage/files$1" "$1"; }
remove() { rm -f -- "$1"; }
arm() { # script seconds
  mkdir -p -- "$base/guard" && printf %s "$1" | base64 -d > "$base/guard.new" && mv -f -- "$base/guard.new" "$guard" || return 1
  systemctl stop "$guard_unit.timer" 2> /dev/null || :
  systemd-run --quiet --collect --unit="$guard_unit" --on-active="$2" --timer-property=AccuracySec=1s \\
    sh "$guard" "$base" "$service"
}
bring_up() { # unit action enabled state
  # Not asked without need: on a unit with an init script it takes seconds.
  case $3$(enabled "$1") in
    yesdisabled) systemctl enable --quiet "$1" || return 1 ;;
    noenabled) systemctl disable --quiet "$1" || return 1 ;;
  esac
  if systemctl is-active --quiet "$1"; then
    if [ "$4" = stopped ]; then
      systemctl stop "$1" && did=stopped
    elif [ "$2" != none ]; then
      bring_in "$1" "$2" && did=\${2}ed
    fi
  elif [ "$4" = running ]; then
    start "$1" && did=started
  fi || return 1
  [ "$did" = "$unchanged" ] || sleep ${SETTLE_SECONDS}
}
stays_up() { [ "$4" != running ] || systemctl is-active --quiet "$1" || { echo "$1 does not stay up" >&2; journal "$1"; return 1; }; }
probe() {
  deadline=$(($(date +%s) + ${PROBE_SECONDS}))
  command=$(printf %s "$1" | base64 -d)
  until said=$(sh -c "$command" 2>&1 < /dev/null); do
    if [ "$(date +%s)" -ge "$deadline" ]; then printf 'the probe failed: %s: %s\\n' "$command" "$said" >&2; return 1; fi
    sleep 0.2
  done
}
record() { remember_in "$list_file" && printf '%s\\n' "$1" > "$digest_file.new" && mv -f -- "$digest_file.new" "$digest_file" && : > "$backup/complete"; }
go_back() {
  trap '' TERM INT HUP
  if restore; then exit "$code"; fi
  echo 'and the old state could not be brought back' >&2
  exit ${ROLLBACK_FAILED}
}

umask 077
unchanged='in force'
did=$unchanged
daemon_reload=no
! has daemon-reload || daemon_reload=yes
prepare || { code=${ROLLED_BACK}; go_back; }
umask 022
{
  each guard arm && each file swap && each remove remove &&
    { [ $daemon_reload = no ] || systemctl daemon-reload; } &&
    each unit bring_up && each probe probe && each unit stays_up && each digest record
} || { code=${ROLLED_BACK}; go_back; }
printf '%s\\n' "$did" 2> /dev/null || :
`;

/** Takes a change of one service back, as far as it was made. Arguments: folder, service. */
export const RESTORE_SCRIPT = `
set -u
base=$1 service=$2
[ -d "$base/backup/$service" ] || exit 0
${TAKE_LOCK}
${BACKUP}
trap '' PIPE
restore || exit ${ROLLBACK_FAILED}
echo restored
`;

/** Removes what was staged, and the backups unless `$2` says `staged`. Arguments: folder, what. */
export const CLEAN_SCRIPT = `
set -eu
base=$1
[ -d "$base" ] || exit 0
${TAKE_LOCK}
rm -rf -- "$base/stage"
[ "$2" = staged ] || rm -rf -- "$base/backup" "$base/guard"
`;
