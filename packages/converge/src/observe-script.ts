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

# These programs take longer to start than to answer, so each is asked once for all.
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
# What there is of folders and files, each as a line: kind, path, and of a file the digest that is wanted, or "secret".
places() {
  paths() { printf %s "$1" | tr '\\n' '\\0'; }
  stats=$(paths "$(printf %s "$1" | cut -f 2)" | LC_ALL=C xargs -0r stat -c "stat$tab%F$tab%U$tab%G$tab%a$tab%s$tab%n" -- 2> /dev/null)
  regular=$(printf '%s\\n' "$stats" | sed -n "s/^stat\${tab}regular [^$tab]*$tab[^$tab]*$tab[^$tab]*$tab[^$tab]*$tab[^$tab]*$tab//p")
  sums=$(paths "$regular" | xargs -0r sha256sum -z -- 2> /dev/null | tr '\\0' '\\n' | sed "s/^\\([0-9a-f]*\\)  /sum$tab\\1$tab/")
  printf '%s\\n%s\\n%s' "$stats" "$sums" "$1" | awk -F "$tab" -v OFS="$tab" '
    $1 == "stat" { is[$7] = $2; ownership[$7] = $3 OFS $4 OFS $5; size[$7] = $6; next }
    $1 == "sum" { sum[$3] = $2; next }
    !($2 in is) { next }
    $1 == "directory" { if (is[$2] == "directory") print $1, $2, ownership[$2]; else print "other-directory", $2; next }
    is[$2] !~ /^regular / { print "other-file", $2; next }
    # Else it went while we looked.
    $2 in sum { print known() ? "file" : "fetch", $2, ownership[$2], sum[$2], "?" }
    function known() { return $3 == "secret" || $3 == sum[$2] || size[$2] > ${LONGEST_CONTENT} }
  ' | while IFS="$tab" read -r kind path owner group mode sum content; do
    if [ "$kind" = fetch ]; then
      kind=file content=$(base64 -w 0 < "$path")
    fi
    answer "$kind" "$path" \${owner:+"$owner" "$group" "$mode"} \${sum:+"$sum" "\${content:--}"}
  done
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
asked_places=
while IFS="$tab" read -r kind name more; do
  case $kind in
    package) asked_packages="$asked_packages $name" ;;
    user) user "$name" ;;
    directory | file) asked_places="$asked_places$kind$tab$name$tab$more
" ;;
    unwanted) ! there "$name" || answer unwanted "$name" ;;
    unit) asked_units="$asked_units $name" ;;
    service) service "$name" ;;
  esac
done
# Names of packages and units hold nothing that a shell would split or expand.
set -f
packages $asked_packages
units $asked_units
places "$asked_places"
{ [ ! -e "$base/stage" ] && [ ! -e "$base/backup" ] && [ ! -e "$base/guard" ]; } || answer leftovers
answer end
`;
