import { SHARE_LOCK } from './layout.js';

/** Contents longer than this are not fetched for the diff, in bytes. */
const LONGEST_CONTENT = 256 * 1024;

/** Answers each line of its input with what is there. Changes nothing. */
export const OBSERVE_SCRIPT = `
set -u
base=$1
tab=$(printf '\\t')
${SHARE_LOCK}
answer() { printf '%s' "$1"; shift; for field; do printf '\\t%s' "$field"; done; printf '\\n'; }
there() { [ -e "$1" ] || [ -L "$1" ]; }
ownership() { stat -c "%U$tab%G$tab%a" -- "$1"; }

package() {
  status=$(dpkg-query -W -f '\${db:Status-Status}' "$1" 2>/dev/null) || return 0
  [ "$status" != installed ] || answer package "$1"
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
unit() {
  answer unit "$1" "$(systemctl show -p UnitFileState --value -- "$1" | grep . || echo none)" \\
    "$(systemctl show -p ActiveState --value -- "$1")"
}

while IFS="$tab" read -r kind name more; do
  case $kind in
    package) package "$name" ;;
    user) user "$name" ;;
    directory) directory "$name" ;;
    file) file "$name" "$more" ;;
    unwanted) ! there "$name" || answer unwanted "$name" ;;
    unit) unit "$name" ;;
    service) [ ! -e "$base/$name.digest" ] || answer in-force "$name" "$(cat "$base/$name.digest")" ;;
  esac
done
{ [ ! -e "$base/stage" ] && [ ! -e "$base/backup" ]; } || answer leftovers
answer end
`;
