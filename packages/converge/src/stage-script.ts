import { READ_RECORDS, TAKE_LOCK } from './layout.js';

/** Exit code of the stage script when a service's checker says no. */
export const INVALID = 65;

/**
 * Lays new files beside the live ones, and lets the services' own checkers see the whole as it would be: copies of the
 * configuration folders with the new files in them are mounted over the real ones, in a mount namespace that only the
 * checkers see.
 *
 * Input: `file` path owner group mode content; `remove` path; `root` path; `check` service command. Command and content
 * are base64. When a checker says no, standard error is the service's name and then what the checker wrote.
 */
export const STAGE_SCRIPT = `
set -eu
base=$1
stage=$base/stage
install -d -m 0700 -- "$base"
${TAKE_LOCK}
${READ_RECORDS}
rm -rf -- "$stage"
umask 077
mkdir -- "$stage" "$stage/files" "$stage/roots"
trap 'code=$?; trap "" TERM INT HUP; rm -rf -- "$stage/roots"; [ $code = 0 ] || rm -rf -- "$stage"' EXIT
trap 'exit 143' TERM INT HUP PIPE

decode() { if [ "$1" != - ]; then printf %s "$1" | base64 -d; fi; }
each() {
  printf '%s\\n' "$records" | while IFS="$tab" read -r kind a b c d e; do
    if [ "$kind" = "$1" ]; then "$2" "$a" "$b" "$c" "$d" "$e"; fi
  done
}
stage_file() {
  mkdir -p -- "$stage/files\${1%/*}"
  decode "$5" > "$stage/files$1"
  chown -- "$2:$3" "$stage/files$1"
  chmod -- "$4" "$stage/files$1"
}
copy_root() {
  mkdir -p -m 0755 -- "$1"
  (umask 022; mkdir -p -- "$stage/roots$1")
  cp -a -- "$1/." "$stage/roots$1/"
}
overlay_file() {
  [ -n "$(root_of "$1")" ] || return 0
  (umask 022; mkdir -p -- "$stage/roots\${1%/*}")
  rm -rf -- "$stage/roots$1"
  cp -a -- "$stage/files$1" "$stage/roots$1"
}
overlay_remove() { [ -z "$(root_of "$1")" ] || rm -rf -- "$stage/roots$1"; }
root_of() {
  printf '%s\\n' "$records" | while IFS="$tab" read -r kind root; do
    if [ "$kind" = root ]; then case $1 in "$root"/*) echo "$root" ;; esac; fi
  done
}

each file stage_file
each root copy_root
each file overlay_file
each remove overlay_remove

check='
stage=$1 tab=$2
while IFS="$tab" read -r kind a b; do
  case $kind in
    root) mount --bind -- "$stage/roots$a" "$a" || exit 74 ;;
    check)
      if ! said=$(sh -c "$(printf %s "$b" | base64 -d)" 2>&1 < /dev/null); then
        printf "%s\\\\n%s\\\\n" "$a" "$said" >&2
        exit ${INVALID}
      fi ;;
  esac
done
'
printf '%s\\n' "$records" | { grep "^root$tab" || :; } | sort -u > "$stage/roots.list"
printf '%s\\n' "$records" | { grep "^check$tab" || :; } > "$stage/checks.list"
cat -- "$stage/roots.list" "$stage/checks.list" | unshare --mount sh -c "$check" validate "$stage" "$tab"
`;
