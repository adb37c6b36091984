/**
 * Has pgBackRest fetch one segment of the write-ahead log for a replica, called by PostgreSQL in its data directory as
 * `restore-wal STANZA NAME DESTINATION`. A lost primary may have archived more of its timeline than the one after it goes on
 * from. While the new timeline has nothing in the repository yet, a server takes the old one's segment for the next one, replays
 * what nobody else has, and can follow the new primary no more. So none is handed out from where the newest timeline that
 * the server knows of left that of the segment: it is had from the primary, or a moment later from the repository.
 */
export const RESTORE_PROGRAM = `#!/bin/sh
set -eu
stanza=$1 name=$2 destination=$3
pgbackrest --stanza="$stanza" archive-get "$name" "$destination" || exit
case $name in *.history) exit 0 ;; esac
newest=$(find pg_wal -maxdepth 1 -name '*.history' | sort | tail -n 1)
[ -n "$newest" ] || exit 0
# NAME is three numbers of eight digits each, in hexadecimal: timeline, log, and segment of the log, which is 4 GiB.
rest=\${name#????????}
timeline=$((0x\${name%"$rest"}))
left=$(awk -v timeline="$timeline" '$1 == timeline { print $2 }' "$newest")
[ -n "$left" ] || exit 0
size=$(stat -c %s -- "$destination")
each=$((0x100000000 / size))
number=$((0x\${rest%????????} * each + 0x\${rest#????????}))
[ "$number" -lt $((0x\${left%/*} * each + 0x\${left#*/} / size)) ] || { rm -f -- "$destination"; exit 1; }
`;
