import { READ_RECORDS, REMEMBER, TAKE_LOCK } from './layout.js';

/**
 * Installs packages. While it runs, a daemon that is not running stays so, because Debian's packages start theirs
 * with a default configuration that is not the one wanted; one that runs may be restarted by its upgrade. The policy
 * expires with the process that made it, so that a kill leaves no host on which nothing starts.
 *
 * Arguments: the packages.
 */
export const INSTALL_SCRIPT = `
set -u
policy=/usr/sbin/policy-rc.d
mark='# perlstack: held while packages are installed'
if [ ! -e "$policy" ] || grep -qxF "$mark" "$policy"; then
  printf '%s\\n' '#!/bin/sh' "$mark" "kill -0 $$ 2>/dev/null || exit 0" \\
    'case "$2" in *start*) systemctl is-active --quiet "$1" || exit 101 ;; esac' 'exit 0' > "$policy.new"
  chmod 0755 "$policy.new"
  mv -f "$policy.new" "$policy"
  trap 'rm -f "$policy"' EXIT
  trap 'exit 143' TERM INT HUP PIPE
fi
export DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=l
install() {
  apt-get install -y -q --no-install-recommends -o DPkg::Lock::Timeout=300 \\
    -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold -- "$@"
}
install "$@" && exit 0
# An interrupted dpkg, and lists that are missing or old, are what a second try can mend.
dpkg --configure -a
apt-get update -q -o DPkg::Lock::Timeout=300
install "$@"
`;

/** Makes or completes accounts: lines of name, home, shell and groups (with commas, or `-`). */
export const USERS_SCRIPT = `
set -eu
printf '%s\\n' "$records" | while IFS="$tab" read -r kind name home shell groups; do
  [ "$kind" = user ] || continue
  if ! getent group "$name" > /dev/null; then groupadd --system "$name"; fi
  if ! getent passwd "$name" > /dev/null; then
    useradd --system --gid "$name" --home-dir "$home" --no-create-home --shell "$shell" "$name"
  else
    [ "$(getent passwd "$name" | cut -d : -f 6,7)" = "$home:$shell" ] || usermod --home "$home" --shell "$shell" "$name"
  fi
  [ "$groups" != - ] || continue
  for group in $(printf %s "$groups" | tr , ' '); do
    getent group "$group" > /dev/null || groupadd --system "$group"
  done
  usermod --append --groups "$groups" "$name"
done
`;

/** Makes folders: lines of path, owner, group and mode. */
export const DIRECTORIES_SCRIPT = `
set -eu
printf '%s\\n' "$records" | while IFS="$tab" read -r kind path owner group mode; do
  [ "$kind" = directory ] || continue
  if [ -L "$path" ] || { [ -e "$path" ] && [ ! -d "$path" ]; }; then
    echo "$path is no folder: move it away" >&2
    exit 66
  fi
  install -d -o "$owner" -g "$group" -m "$mode" -- "$path"
done
`;

/** Lays files before anything is installed. Arguments: folder, service. Input: as for staging, and `remember` lines. */
export const PRESETS_SCRIPT = `
set -eu
base=$1 service=$2
install -d -m 0700 -- "$base"
${TAKE_LOCK}
${READ_RECORDS}
${REMEMBER}
umask 077
printf '%s\\n' "$records" | while IFS="$tab" read -r kind path owner group mode content; do
  [ "$kind" = file ] || continue
  folder=\${path%/*}
  (umask 022; mkdir -p -- "$folder/")
  new=$folder/.\${path##*/}.perlstack-new
  if [ "$content" = - ]; then : > "$new"; else printf %s "$content" | base64 -d > "$new"; fi
  chown -- "$owner:$group" "$new"
  chmod -- "$mode" "$new"
  sync -- "$new"
  mv -fT -- "$new" "$path"
done
remember_in "$base/$service.presets"
`;
