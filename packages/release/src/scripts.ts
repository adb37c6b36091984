import { quote } from '@perlstack/remote';
import { DISK_RESERVE } from './room.js';
import type { Site } from './site.js';

/**
 * What the host's side of a deploy does, one POSIX shell script a phase, all run as root. Values come as variables in front
 * and as arguments; none of them is secret.
 */
export function hostScript({ layout }: Site, body: string): string {
  const variables = {
    user: layout.user,
    home: layout.home,
    releases: layout.releases,
    current: layout.current,
    socket_link: layout.socketLink,
    run: layout.runDirectory,
    environment: layout.environmentFile,
    unit: layout.template.replace(/\.service$/, ''),
    state: stateFolder(layout.user),
  };
  const lines = Object.entries(variables).map(([name, value]) => `${name}=${quote(value)}`);
  return `set -eu\numask 022\n${lines.join('\n')}\n${FUNCTIONS}${body}`;
}

/** Where a host keeps the lock of an application. */
export const stateFolder = (app: string): string => `/var/lib/perlstack/${app}`;

/**
 * connections: how many connections a release's sockets have, from the server's side; the path of its first unit's stands for
 *   all. Not by ss, which leaves out those that wait to be accepted. Flags other than 0 are those of a listening socket.
 * others: the names of a release's further units, as a pattern.
 * end_instance: stops a release's units; adds to `cut` how many requests were cut off, those of units that systemd had to kill.
 * owned: what was unpacked becomes root's. Exit 66: it holds something else than files, folders and links.
 * note_bytes: leaves the size of what is in a folder there.
 * led_to: the last part of where a symbolic link leads, into `to`; nothing where it is none.
 * tree_of: the key of the modules that were built for a release.
 * point: puts a symbolic link in place by rename, so that there is no moment without it.
 * show_files: the host has a release's static files for those that were sent a page of it by another one. Not by point: it may be
 *   called by two scripts at once.
 */
const FUNCTIONS = String.raw`
connections() {
  awk -v first="$1" -v folder="$run/unit" -v name="/\${1##*/}" '
    function ends() { return index($8, folder) == 1 && substr($8, length($8) - length(name) + 1) == name }
    $4 == "00000000" && ($8 == first || ends()) { found += 1 }
    END { print found + 0 }' /proc/net/unix
}
others() { printf '%s' "\${unit%@}-unit*@$1.service"; }
owned() {
  strange=$(find "$1" ! -type f ! -type d ! -type l -o -type f -perm /6000 | head -n 1)
  [ -z "$strange" ] || { echo "it holds $strange" >&2; exit 66; }
  chown -hR root:root "$1"
  chmod -R u=rwX,go=rX,ug-s "$1"
}
note_bytes() { rm -rf "$1/.perlstack-bytes" && du -sb "$1" | cut -f 1 >"$1/.perlstack-bytes"; }
led_to() { to=$(readlink "$1" || true); to=\${to##*/}; }
tree_of() {
  [ -L "$1/local" ] || return 0
  to=$(readlink "$1/local")
  case $to in ../../modules/*) printf '%s\n' "\${to##*/}" ;; esac
}
point() { ln -sfn "$1" "$2.next" && mv -fT "$2.next" "$2"; }
show_files() { ln -sfn "releases/$1" "$home/next"; }
serving() {
  led_to "$socket_link"
  [ -z "$to" ] || printf '%s\n' "\${to%.sock}"
}
property() { systemctl show -p "$2" --value "$unit$1.service"; }
# The further units stop with the first, but it is the first alone that disable waits for.
end_instance() {
  left=$(connections "$run/$1.sock")
  systemctl disable --quiet --now "$unit$1.service"
  systemctl stop "$(others "$1")"
  case $(systemctl show -p Result --value "$unit$1.service" "$(others "$1")") in
    *timeout*) cut=$((cut + left)) ;;
  esac
  systemctl reset-failed "$unit$1.service" "$(others "$1")" 2>/dev/null || true
}
`.replaceAll('\\${', '${');

/**
 * recent: of the log of deploys the last lines, the last that succeeded, and of each workflow the newest run that deployed, after
 * which no older one may: whatever others deployed since.
 */
export const RECENT = String.raw`
recent() {
  [ -e "$state/audit.log" ] || return 0
  awk '
    { last[NR] = $0; delete last[NR - 12] }
    index($0, "\"event\":\"succeeded\"") { good[++count] = NR; text[NR] = $0; delete text[good[count - 8]]; delete good[count - 8] }
    index($0, "\"event\":\"succeeded\",\"kind\":\"deploy\"") && match($0, /"workflow":"[^"]*","number":[0-9]+/) {
      run = substr($0, RSTART, RLENGTH)
      at = match(run, /[0-9]+$/)
      name = substr(run, 1, at - 1)
      number = substr(run, at) + 0
      if (number >= most[name]) { most[name] = number; newest[name] = NR; line[name] = $0 }
    }
    END {
      for (name in line) text[newest[name]] = line[name]
      for (at in last) text[at] = last[at]
      for (at = 1; at <= NR; at++) if (at in text) print text[at]
    }' "$state/audit.log"
}
`;

export const OBSERVE = String.raw`
${RECENT}
# As little as can be by processes of their own: what starts them is most of what a look costs.
say() { ifs=$IFS; IFS='	'; printf '%s\n' "$*"; IFS=$ifs; }
line_of() { line=; [ ! -e "$1" ] || read -r line <"$1" || true; }
say user "$(id -u "$user" 2>/dev/null || echo)"
template=0
[ ! -e "/etc/systemd/system/$unit.service" ] || template=1
say template "$template"
led_to "$current"
say current "$to"
led_to "$home/previous"
say previous "$to"
now=$(serving)
say serving "$now"
for folder in "$releases"/* "$releases"/.*.partial* "$releases"/.*.removed; do
  name=\${folder##*/}
  [ -d "$folder" ] && [ ! -L "$folder" ] || [ "\${name#.}" != "$name" ] && [ -e "$folder" ] || continue
  case $name in .*) say partial "$name"; continue ;; esac
  good=0 bad=0 migrated=0
  [ ! -e "$folder/.perlstack-good" ] || good=1
  [ ! -e "$folder/.perlstack-bad" ] || bad=1
  [ ! -e "$folder/.perlstack-migrated" ] || migrated=1
  mark=$folder/.perlstack-sha256
  line_of "$mark"
  sha=\${line:--}
  line_of "$folder/.perlstack-bytes"
  [ -e "$mark" ] || mark=$folder
  say release "$name" "$sha" "$good" "$bad" "$(stat -c %Y "$mark")" "$migrated" "$line" "$(tree_of "$folder")"
done
for folder in "$home"/modules/*/; do
  [ -d "$folder" ] || continue
  folder=\${folder%/}
  line_of "$folder/.perlstack-bytes"
  say module "\${folder##*/}" "$line"
done
# Of all that are loaded, in one question: each costs more than all else here.
systemctl show --all -p Id,ActiveState,SubState,NRestarts,MemoryCurrent "$unit*.service" |
  awk -v unit="$unit" '
    function done() { if (id != "") print "instance\t" id "\t" properties; id = properties = "" }
    $0 == "" { done() }
    index($0, "Id=" unit) == 1 { id = substr($0, length(unit) + 4); sub(/\.service$/, "", id); next }
    { properties = properties $0 " " }
    END { done() }'
for wanted in /etc/systemd/system/*.wants/"$unit"*.service; do
  [ -L "$wanted" ] || continue
  id=\${wanted##*/"$unit"}
  say enabled "\${id%.service}"
done
while read -r key kibibytes rest; do
  [ "$key" != MemAvailable: ] || say memory "$((kibibytes * 1024))"
done </proc/meminfo
place=$releases
while [ ! -e "$place" ]; do place=$(dirname "$place"); done
set -- $(stat -f -c '%a %S' "$place")
say disk "$(($1 * $2))"
if command -v nft >/dev/null; then
  case $(nft list tables inet) in *perlstack_out*) say refusing 1 ;; *) say refusing 0 ;; esac
else
  say refusing ''
fi
[ -z "$now" ] || say inflight "$(connections "$run/$now.sock")"
recent | while IFS= read -r line; do say audit "$line"; done
[ ! -e "$state/deploy.lock" ] || say lock "$(($(date +%s) - $(stat -c %Y "$state/deploy.lock")))" "$(cat "$state/deploy.lock")"
`.replaceAll('\\${', '${');

/** Prints the addresses of the servers that nginx's configuration leaves out. */
export const OBSERVE_WEB = String.raw`
[ ! -d /etc/nginx ] || grep -rhE --exclude='.*' '^[[:space:]]*server[[:space:]]+[^;]*[[:space:]]down[[:space:]]*;' /etc/nginx 2>/dev/null | awk '{ sub(/;$/, "", $2); print $2 }' | sort -u
`;

/** Arguments: release, SHA-256. Standard input: the artifact. Exit 65: it arrived damaged; 66: it does not unpack. */
export const UPLOAD = String.raw`
id=$1 sha=$2
part=$releases/.$id.partial.$$
install -d -m 755 "$home" "$releases"
trap 'rm -rf "$part" "$part.tar"' EXIT
cat >"$part.tar"
found=$(sha256sum <"$part.tar" | cut -d ' ' -f 1)
[ "$found" = "$sha" ] || { echo "the upload has SHA-256 $found" >&2; exit 65; }
mkdir -m 700 "$part"
tar -x -f "$part.tar" -C "$part" --no-same-owner --no-same-permissions >&2 || exit 66
owned "$part"
printf %s "$sha" >"$part/.perlstack-sha256"
note_bytes "$part"
sync -f "$part"
[ "$(cat "$releases/$id/.perlstack-sha256" 2>/dev/null)" = "$sha" ] || mv -T "$part" "$releases/$id"
`;

/**
 * Arguments: release, keys of the modules that who asks has. Prints a line with the bytes that it takes unpacked, and the
 * release packed, as it lies here, with its modules where they are none of those.
 */
export const PACK = String.raw`
id=$1
shift
key=$(tree_of "$releases/$id")
for one in "$@"; do [ "$one" != "$key" ] || key=; done
set -- "releases/$id"
[ -z "$key" ] || set -- "$@" "modules/$key"
cd "$home"
du -sbc "$@" | tail -n 1 | cut -f 1
# The application that serves beside it comes first.
exec nice -n 10 tar --create --use-compress-program='gzip -1' "$@"
`.replaceAll('\\${', '${');

/**
 * Argument: release. Standard input: what the script above prints, and behind it 64 digits, its SHA-256. The marks of the
 * release come with it, and so does the time when it was unpacked first, by which releases are ordered. Exit 65: it arrived
 * damaged; 66: it does not unpack; 67: there is no room.
 */
export const UNPACK = String.raw`
id=$1
part=$releases/.$id.partial.$$
install -d -m 755 "$home" "$releases"
trap 'rm -rf "$part" "$part.tar"' EXIT
read -r bytes || true
case $bytes in '' | *[!0-9]*) bytes=0 ;; esac
# Twice: packed and unpacked. What runs beside it is not to find the disk full.
needs=$((2 * bytes / 1048576 + ${DISK_RESERVE / 1024 ** 2})) has=$(df -P -BM "$releases" | awk 'NR == 2 { print $4 + 0 }')
[ "$has" -ge "$needs" ] || { echo "$has MiB of disk are left, and it needs $needs: make room" >&2; exit 67; }
cat >"$part.tar"
sha=$(tail -c 64 "$part.tar")
truncate -s -64 "$part.tar"
found=$({ echo "$bytes"; cat "$part.tar"; } | sha256sum | cut -d ' ' -f 1)
[ "$found" = "$sha" ] || { echo "what came has another SHA-256 than $sha" >&2; exit 65; }
mkdir -m 700 "$part"
tar --extract --gzip --file "$part.tar" --directory "$part" --no-same-owner --no-same-permissions >&2 || exit 66
owned "$part"
sync -f "$part"
for tree in "$part"/modules/*/; do
  [ -d "$tree" ] || continue
  install -d -m 755 "$home/modules"
  exec 9>"$home/modules/.lock"
  flock 9
  key=$(basename "$tree")
  [ -e "$home/modules/$key" ] || mv -T "$tree" "$home/modules/$key"
done
[ -e "$releases/$id" ] || mv -T "$part/releases/$id" "$releases/$id"
`;

/**
 * Arguments: release, seconds, seconds in which it is to be loaded (or nothing), PSGI file, folders for @INC. The environment is
 * that of the unit. Exit 71: it does not load.
 */
export const COMPILE = String.raw`
id=$1 limit=$2 load=$3 psgi=$4
shift 4
show_files "$id"
cd "$releases/$id"
set -- $(for folder in "$@" local/lib/perl5; do [ ! -d "$folder" ] || printf '%s\n' "-I$folder"; done)
as_app() {
  seconds=$1
  shift
  systemd-run --quiet --wait --pipe --collect -p "User=$user" -p "Group=$user" -p "WorkingDirectory=$releases/$id" \
    -p "EnvironmentFile=-$environment" -p "Environment=$(property "$id" Environment)" -p "RuntimeMaxSec=$seconds" \
    -p Nice=10 -p NoNewPrivileges=yes -p ProtectSystem=strict -p ProtectHome=yes -p PrivateTmp=yes \
    -p "StateDirectory=$user" -p StateDirectoryMode=0750 -p "CacheDirectory=$user" -p CacheDirectoryMode=0750 \
    -p "LogsDirectory=$user" -p LogsDirectoryMode=0750 -p "ReadWritePaths=$run" "$@" </dev/null
}
as_app "$limit" perl "$@" -c "$psgi"
[ -z "$load" ] || as_app "$load" perl "$@" -MPlack::Util -e 'Plack::Util::load_psgi(shift)' "$releases/$id/$psgi" || exit 71
`;

/** fault: prints why the release $id does not come up, or nothing. */
const FAULT = String.raw`
fault() {
  systemctl show -p ActiveState,SubState,ExecMainStatus,NRestarts "$unit$id.service" | awk -F = -v unit="$unit$id" '
    { value[$1] = $2 }
    END {
      active = value["ActiveState"]; sub_state = value["SubState"]; restarts = value["NRestarts"] + 0
      if (active == "failed" || active == "inactive" || sub_state == "auto-restart" || restarts > 0)
        print unit " does not stay up: " active " (" sub_state "), exit status " value["ExecMainStatus"] ", " restarts " restarts"
    }'
}
`;

/**
 * Argument: release. Starts it now and with the host; a run that failed before does not count against it. Waits a while for it to
 * listen, so that nobody has to come back to ask: whether it answers, and why it does not, is for others to say.
 */
export const BOOT = String.raw`
${FAULT}
id=$1
install -d -o "$user" -g "$user" -m 755 "$run" 2>/dev/null || true
rm -f "$releases/$id/.perlstack-bad"
show_files "$id"
systemctl reset-failed "$unit$id.service" 2>/dev/null || true
# What starts with the machine is read when it does: to read all units anew takes longer than to start one.
systemctl enable --quiet --no-reload --now "$unit$id.service"
for try in 1 2 3 4 5 6 7 8 9 10; do
  for look in 1 2 3 4 5 6 7 8 9 10; do
    [ ! -S "$run/$id.sock" ] || exit 0
    sleep 0.05
  done
  [ -z "$(fault)" ] || exit 0
done
`;

/** Prints the release that serves, if it does not run. */
export const SERVING_DEAD = String.raw`
id=$(serving)
[ -z "$id" ] || [ "$(property "$id" ActiveState)" = active ] || echo "$id"
`;

/** Argument: release. Prints why it does not come up, or nothing. */
export const BOOT_FAULT = `
${FAULT}
id=$1
fault
`;

/** Arguments: release to serve, release to note as the previous one (or nothing). */
export const SWITCH = String.raw`
id=$1 previous=$2
[ -z "$previous" ] || point "releases/$previous" "$home/previous"
for folder in "$run"/unit*; do
  [ ! -d "$folder" ] || point "$folder/$id.sock" "$home/current-$(basename "$folder").sock"
done
point "$run/$id.sock" "$socket_link"
point "releases/$id" "$current"
`;

/** Arguments as above. The same, but only if that release still runs: then going back is a rename, and at once. */
export const SWITCH_BACK = `
[ "$(property "$1" ActiveState)" = active ] && [ -S "$run/$1.sock" ] || exit 0
${SWITCH}`;

/** No release serves any more: what a first deploy that failed goes back to. */
export const UNSWITCH = String.raw`
rm -f "$socket_link" "$home"/current-unit*.sock "$current"
`;

/**
 * Arguments: milliseconds, TCP port (or nothing), releases. Waits until their sockets, and the port, have no connection
 * or the time is up; prints how many are left.
 */
export const DRAIN = String.raw`
limit=$1 port=$2
shift 2
count() {
  all=0
  for one in "$@"; do all=$((all + $(connections "$run/$one.sock"))); done
  [ -z "$port" ] || all=$((all + $(ss -Htn state established "sport = :$port" | wc -l)))
  echo "$all"
}
end=$(($(date +%s%3N) + limit))
left=$(count "$@")
while [ "$left" -gt 0 ] && [ "$(date +%s%3N)" -lt "$end" ]; do
  sleep 0.05
  left=$(count "$@")
done
echo "$left"
`;

/**
 * Arguments: releases to stop. One that still gets requests is left alone. Prints how many requests were cut off: those of
 * an instance that systemd had to kill.
 */
export const STOP = String.raw`
cut=0
for id in "$@"; do
  if [ "$(serving)" = "$id" ]; then echo "$unit$id still serves and was left running" >&2; exit 67; fi
  end_instance "$id"
  rm -f "$run/$id.sock" "$run"/unit*/"$id.sock"
done
`;

export const REPORT_CUT = String.raw`
echo "$cut"
`;

/** Arguments: release that held, how many of the following are to be stopped, those, releases and uploads to remove. */
export const FINISH = String.raw`
held=$1 stops=$2
shift 2
rm -f "$releases/$held/.perlstack-bad" "$home/next"
touch "$releases/$held/.perlstack-good"
stop_list=
while [ "$stops" -gt 0 ]; do stop_list="$stop_list $1"; shift; stops=$((stops - 1)); done
stop() {
${STOP}
}
remove() {
  for id in "$@"; do
    case $id in
      .*) rm -rf "\${releases:?}/$id" "\${releases:?}/$id.tar"; continue ;;
    esac
    [ "$id" != "$(serving)" ] && [ "$(property "$id" ActiveState)" != active ] || continue
    mv -T "$releases/$id" "$releases/.$id.removed"
    rm -rf "$releases/.$id.removed"
  done
}
cut=0
# Beside the stop, which waits for requests: nothing that is to be removed runs.
remove "$@" &
removing=$!
stop $stop_list
wait "$removing"
for tree in "$home"/modules/*/; do
  [ -d "$tree" ] || continue
  key=$(basename "$tree") used=
  for link in "$releases"/*/local; do
    led_to "$link"
    [ "$to" != "$key" ] || used=1
  done
  [ -n "$used" ] || rm -rf "$tree" "$home/modules/$key.tar.zst"
done
echo "$cut"
`.replaceAll('\\${', '${');

/** Stops every instance, on a host that is out of service; prints how many requests were cut off. */
export const STOP_ALL = String.raw`
cut=0
for one in $(systemctl list-units --all --plain --no-legend --full "$unit*.service" | cut -d ' ' -f 1); do
  id=\${one#"$unit"}
  end_instance "\${id%.service}"
done
echo "$cut"
`.replaceAll('\\${', '${');

/** Arguments: release, `bad` where it is to blame. Nobody rolls it out any more. */
export const SET_ASIDE = String.raw`
rm -f "$home/next"
[ "$2" = bad ] && [ -d "$releases/$1" ] && [ ! -e "$releases/$1/.perlstack-good" ] || exit 0
touch "$releases/$1/.perlstack-bad"
`;

/** Arguments: release, lines. The end of what its unit wrote. */
export const JOURNAL_TAIL = String.raw`
journalctl --no-pager --quiet --output cat --lines "$2" --unit "$unit$1.service" --unit "$(others "$1")" 2>/dev/null || true
`;

/**
 * Argument: TCP port. This host refuses new connections to it, and goes on with those that it has. Whoever is refused has sent
 * nothing yet, so nginx asks another server, whatever the method; its reload for a server that is \`down\` would end streams
 * of HTTP/2 that had just begun.
 */
export const REFUSE = String.raw`
nft -f - <<RULES
table inet perlstack_out { }
delete table inet perlstack_out
table inet perlstack_out {
  chain input {
    type filter hook input priority -150; policy accept;
    iifname != "lo" tcp dport $1 tcp flags & (fin | syn | rst | ack) == syn reject with tcp reset
  }
}
RULES
`;

/** The host takes connections again. Made first, as nftables 1.0.6 cannot delete what may not be there. */
export const ACCEPT = String.raw`
! command -v nft >/dev/null || nft 'table inet perlstack_out; delete table inet perlstack_out'
`;

/**
 * Arguments: \`down\` or \`up\`, address and port of an app host. Rewrites that server's line in nginx's upstream and reloads;
 * a configuration that nginx does not accept is put back. Prints how many lines changed.
 */
export const SET_SERVER = String.raw`
want=$1 address=$2
pattern=$(printf %s "$address" | sed 's/[][\.*^$/]/\\&/g')
line="^[[:space:]]*server[[:space:]]+$pattern[[:space:];]"
found=0 changed=0
for file in $(grep -rlE "$line" /etc/nginx); do
  name=$(basename "$file")
  [ "\${name#.}" = "$name" ] || continue
  found=1
  next=$(dirname "$file")/.$name.next before=$(dirname "$file")/.$name.before
  if [ "$want" = down ]; then
    sed -E "/$line/{/[[:space:]]down[[:space:]]*;/!s/[[:space:]]*;/ down;/}" "$file" >"$next"
  else
    sed -E "/$line/s/[[:space:]]+down[[:space:]]*;/;/" "$file" >"$next"
  fi
  if cmp -s "$file" "$next"; then rm -f "$next"; continue; fi
  chown --reference="$file" "$next"
  chmod --reference="$file" "$next"
  cp -p "$file" "$before"
  mv -f "$next" "$file"
  if ! nginx -t -q; then mv -f "$before" "$file"; exit 68; fi
  rm -f "$before"
  changed=$((changed + 1))
done
[ "$found" = 1 ] || { echo "no upstream of nginx names $address" >&2; exit 69; }
[ "$changed" = 0 ] || systemctl reload nginx
echo "$changed"
`.replaceAll('\\${', '${');
