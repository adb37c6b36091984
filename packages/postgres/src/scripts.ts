/** Exit codes of the scripts below. */
export const OCCUPIED = 66;
export const NO_ROOM = 67;

/**
 * Beside a data directory may stand: `.new`, which is being made; `.made`, notes of a step that made one, until it has
 * proved itself; `.behind`, a copy that was replaced and has nothing of its own; `.diverged…`, one that may have.
 */
const NAMES = `
new=$data.new made=$data.made
as() { env --chdir=/ runuser -u postgres -- "$@"; }
empty() { [ ! -e "$1" ] || [ -z "$(ls -A -- "$1")" ]; }
occupied() { echo "$data is not empty: look what it is, and move it away" >&2; exit ${OCCUPIED}; }
`;

/**
 * Makes a cluster with data checksums, in a folder of its own until it is whole. Its configuration lies elsewhere.
 * Arguments: folder of the programs, data directory.
 */
export const INIT_SCRIPT = `
set -eu
programs=$1 data=$2
${NAMES}
empty "$data" || occupied
rm -rf -- "$new"
as "$programs/initdb" -D "$new" --auth-local=peer --auth-host=scram-sha-256 --data-checksums \\
  --encoding=UTF8 --locale=C.UTF-8 --no-instructions > /dev/null
rm -f -- "$new/postgresql.conf" "$new/pg_hba.conf" "$new/pg_ident.conf"
[ ! -e "$data" ] || rmdir -- "$data"
echo placed > "$made"
mv -T -- "$new" "$data"
`;

/**
 * Makes a replica: a base backup beside the old copy, which gives way when the new one is whole. Where the disk is too
 * small for both, an old copy that has nothing of its own goes first; no other is ever removed.
 * Arguments: folder of the programs, data directory, unit, connection, slot, what is replaced, KiB that are needed,
 * whether to start it again, the password file for good. Input: the passwords. The files of this service are not in
 * force yet, so they stand in a file of their own as long as the copy takes.
 */
export const CLONE_SCRIPT = `
set -eu
programs=$1 data=$2 unit=$3 connection=$4 slot=$5 replaces=$6 needed=$7 starts=$8 passfile=$9
${NAMES}
was=stopped
if ! systemctl is-active --quiet "$unit"; then :; elif [ "$replaces" = nothing ]; then occupied; else was=running; fi
[ "$replaces" != nothing ] || empty "$data" || occupied
aside=$data.$replaces
if [ "$replaces" = diverged ] && [ -e "$aside" ]; then aside=$aside-$(date -u +%Y%m%dT%H%M%SZ); fi
printf '%s\\n' "was=$was" > "$made"
systemctl stop "$unit"
rm -rf -- "$new"
free() { df --output=avail -k -- "$(dirname -- "$data")" | tail -n 1 | tr -d ' '; }
if [ "$replaces" = behind ] && [ "$(free)" -lt "$needed" ]; then rm -rf -- "$data" "$aside"; fi
if [ "$(free)" -lt "$needed" ]; then
  echo "there are $(free) KiB free for a copy of $needed KiB" >&2
  [ $was = stopped ] || systemctl start "$unit" || :
  rm -f -- "$made"
  exit ${NO_ROOM}
fi
umask 077
passwords=$data.pgpass
trap 'rm -f -- "$passwords"' EXIT
trap 'exit 143' TERM INT HUP PIPE
rm -f -- "$passwords"
cat > "$passwords"
chown postgres: "$passwords"
as "$programs/pg_basebackup" -d "$connection passfile=$passwords" -D "$new" --no-password --write-recovery-conf --wal-method=stream --slot="$slot" \\
  --checkpoint=fast --progress
as sed -i "s|$passwords|$passfile|" "$new/postgresql.auto.conf"
as grep -q "$passfile" "$new/postgresql.auto.conf"
if empty "$data"; then
  [ ! -e "$data" ] || rmdir -- "$data"
else
  [ "$replaces" != behind ] || rm -rf -- "$aside"
  printf '%s\\n' "aside=$aside" >> "$made"
  mv -T -- "$data" "$aside"
fi
echo placed >> "$made"
mv -T -- "$new" "$data"
if [ $was = running ] && [ "$starts" = yes ]; then systemctl start "$unit"; fi
`;

/**
 * Takes back what a step made that has not proved itself: what stood there before stands there again. Arguments: data
 * directory, unit.
 */
export const UNDO_SCRIPT = `
set -eu
data=$1 unit=$2
${NAMES}
[ -e "$made" ] || { rm -rf -- "$new"; exit 0; }
aside=$(sed -n 's/^aside=//p' "$made")
was=$(sed -n 's/^was=//p' "$made")
systemctl stop "$unit" 2> /dev/null || :
rm -rf -- "$new"
if grep -qx placed "$made"; then rm -rf -- "$data"; fi
if [ -n "$aside" ] && [ -e "$aside" ] && [ ! -e "$data" ]; then mv -T -- "$aside" "$data"; fi
if [ "$was" = running ]; then systemctl start "$unit"; fi
rm -f -- "$made"
`;

/**
 * A copy that has proved itself needs no way back: removes the notes, and an old copy that has nothing of its own.
 * Prints the old copies that stay. Arguments: data directory.
 */
export const SETTLE_SCRIPT = `
set -eu
data=$1
${NAMES}
rm -rf -- "$data.behind" "$made"
for kept in "$data".diverged*; do [ ! -e "$kept" ] || printf '%s\\n' "$kept"; done
`;

/** Succeeds when nothing is left beside a data directory that SETTLE_SCRIPT would remove. */
export const SETTLED_SCRIPT = `
[ ! -e "$1.behind" ] && [ ! -e "$1.made" ]
`;
