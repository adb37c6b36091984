import { AWAIT_GUARDS, SHARE_LOCK } from './layout.js';

/** Contents longer than this are not fetched for the diff, in bytes. */
const LONGEST_CONTENT = 256 * 1024;

/** Answers each line of its input with what is there. Changes nothing. */
export const OBSERVE_SCRIPT = `
set -u
base=$1
tab=$(printf '\\t')
${AWAIT_GUARDS}
${SHARE_LOCK}
answer() { printf '%s' "$1"; shift; for field; do printf '\\t%s' "$field"; done; printf '\\n'; }
there() { [ -e "$1" ] || [ -L "$1" ]; }
ownership() { stat -c "%U$tab%G$tab%a" -- "$1"; }

# Those two programs take their time to start, so each is asked once for all.
packages() {
  [ $# = 0 ] || dpkg-query -W -f '\${db:Status-Status}\\t\${Package}\\n' "$@" 2>/dev/null | sed -n "s/^installed$tab/package$tab/p"
}
units() {
  [ $# != 0 ] || return 0
  # One block a unit, in the order of the question; a name may be another's alias.
  systemctl show -p UnitFileState -p ActiveState -- "$@" | awk -v names="$*" '
    BEGIN { split(names, name, " "); file = "none"; block = 1 }
    /^UnitFileState=./ { file = substr($0, 15) }
    /^ActiveState=/ { active = substr($0, 13) }
    /^$/ { say() }
    END { say() }
    function say() {
      if (active != "") printf "unit\\t%s\\t%s\\t%s\\n", name[block++], file, active
      file = "none"; active = ""
    }'
}
user() {
  entry=$(getent passwd "$1") || return 0
  answer user "$1" "$(printf %s "$entry" | cut -d : -f 6)" "$(printf %s "$entry" | cut -d : -f 7)" "$(id -nG "$1")"
}
directory() {
  there "$1" || return 0
  if [ -d "$1" ] && [ ! -L "$1" ]; then answer directory "$1" "$(ownership "$1")"; else answer other-directory "$1"; fi
}
file() {
  there "$1" || return 0
  if [ ! -f "$1" ] || [ -L "$1" ]; then answer other-file "$1"; return; fi
  sum=$(sha256sum < "$1" | cut -c 1-64)
  content='?'
  if [ "$2" != secret ] && [ "$2" != "$sum" ] && [ "$(stat -c %s -- "$1")" -le ${LONGEST_CONTENT} ]; then
    content=$(base64 -w 0 < "$1")
  fi
  answer file "$1" "$(ownership "$1")" "$sum" "\${content:--}"
}
# What we last left there, and what a run that did not come to its end had in its hands.
service() {
  [ ! -e "$base/$1.digest" ] || answer in-force "$1" "$(cat "$base/$1.digest")"
  for list in "$base/$1.presets" "$base/$1.files"; do [ ! -e "$list" ] || sed "s/^/remembered$tab/" "$list"; done
  backup=$base/backup/$1
  if [ ! -d "$backup" ] || [ -e "$backup/complete" ]; then return; fi
  find "$backup/files" "$backup/absent" ! -type d -printf "under-way$tab/%P\\n" 2> /dev/null
}

asked_packages=
asked_units=
while IFS="$tab" read -r kind name more; do
  case $kind in
    package) asked_packages="$asked_packages $name" ;;
    user) user "$name" ;;
    directory) directory "$name" ;;
    file) file "$name" "$more" ;;
    unwanted) ! there "$name" || answer unwanted "$name" ;;
    unit) asked_units="$asked_units $name" ;;
    service) service "$name" ;;
  esac
done
# Names of packages and units hold nothing that a shell would split or expand.
set -f
packages $asked_packages
units $asked_units
{ [ ! -e "$base/stage" ] && [ ! -e "$base/backup" ] && [ ! -e "$base/guard" ]; } || answer leftovers
answer end
`;
