import { quote } from '@perlstack/remote';
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
 * point: puts a symbolic link in place by rename, so that there is no moment without it.
 */
const FUNCTIONS = String.raw`
connections() {
  awk -v first="$1" -v folder="$run/unit" -v name="/\${1##*/}" '
    function ends() { return index($8, folder) == 1 && substr($8, length($8) - length(name) + 1) == name }
    $4 == "00000000" && ($8 == first || ends()) { found += 1 }
    END { print found + 0 }' /proc/net/unix
}
others() { printf '%s' "\${unit%@}-unit*@$1.service"; }
point() { ln -sfn "$1" "$2.next" && mv -fT "$2.next" "$2"; }
serving() { [ -L "$socket_link" ] && basename "$(readlink "$socket_link")" .sock || true; }
property() { systemctl show -p "$2" --value "$unit$1.service"; }
`.replaceAll('\\${', '${');

export const OBSERVE = String.raw`
say() { (IFS='	'; printf '%s\n' "$*"); }
exists() { [ -e "$1" ] && echo 1 || echo 0; }
say user "$(id -u "$user" 2>/dev/null || echo)"
say template "$(exists "/etc/systemd/system/$unit.service")"
[ ! -L "$current" ] || say current "$(basename "$(readlink "$current")")"
[ ! -L "$home/previous" ] || say previous "$(basename "$(readlink "$home/previous")")"
say serving "$(serving)"
for folder in "$releases"/* "$releases"/.*.partial* "$releases"/.*.removed; do
  name=$(basename "$folder")
  [ -d "$folder" ] && [ ! -L "$folder" ] || [ "\${name#.}" != "$name" ] && [ -e "$folder" ] || continue
  case $name in .*) say partial "$name"; continue ;; esac
  mark=$folder/.perlstack-sha256
  say release "$name" "$(cat "$mark" 2>/dev/null || echo -)" "$(exists "$folder/.perlstack-good")" \
    "$(exists "$folder/.perlstack-bad")" "$(stat -c %Y "$mark" 2>/dev/null || stat -c %Y "$folder")" \
    "$(exists "$folder/.perlstack-migrated")"
done
for folder in "$home"/modules/*/; do [ ! -d "$folder" ] || say module "$(basename "$folder")"; done
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
say memory "$(awk '/^MemAvailable:/ { print $2 * 1024 }' /proc/meminfo)"
place=$releases
while [ ! -e "$place" ]; do place=$(dirname "$place"); done
say disk "$(df -P -B1 "$place" | awk 'NR == 2 { print $4 }')"
now=$(serving)
[ -z "$now" ] || say inflight "$(connections "$run/$now.sock")"
if [ -e "$state/audit.log" ]; then
  { grep -F '"event":"succeeded"' "$state/audit.log" | tail -n 8; tail -n 12 "$state/audit.log"; } | sort -u |
    while IFS= read -r line; do say audit "$line"; done
fi
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
strange=$(find "$part" ! -type f ! -type d ! -type l -o -type f -perm /6000 | head -n 1)
[ -z "$strange" ] || { echo "it holds $strange" >&2; exit 66; }
chown -hR root:root "$part"
chmod -R u=rwX,go=rX,ug-s "$part"
printf %s "$sha" >"$part/.perlstack-sha256"
sync -f "$part"
[ "$(cat "$releases/$id/.perlstack-sha256" 2>/dev/null)" = "$sha" ] || mv -T "$part" "$releases/$id"
`;

/**
 * Arguments: release, seconds, seconds in which it is to be loaded (or nothing), PSGI file, folders for @INC. The environment is
 * that of the unit. Exit 71: it does not load. From now on the host has the
 * release's static files for those that were sent a page of it by another one.
 */
export const COMPILE = String.raw`
id=$1 limit=$2 load=$3 psgi=$4
shift 4
point "releases/$id" "$home/next"
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

/** Argument: release. Starts it now and with the host; a run that failed before does not count against it. */
export const BOOT = String.raw`
id=$1
install -d -o "$user" -g "$user" -m 755 "$run" 2>/dev/null || true
rm -f "$releases/$id/.perlstack-bad"
systemctl reset-failed "$unit$id.service" 2>/dev/null || true
# What starts with the machine is read when it does: to read all units anew takes longer than to start one.
systemctl enable --quiet --no-reload --now "$unit$id.service"
`;

/** Prints the release that serves, if it does not run. */
export const SERVING_DEAD = String.raw`
id=$(serving)
[ -z "$id" ] || [ "$(property "$id" ActiveState)" = active ] || echo "$id"
`;

/** Argument: release. Prints why it does not come up, or nothing. */
export const BOOT_FAULT = String.raw`
id=$1
restarts=$(property "$id" NRestarts) active=$(property "$id" ActiveState) sub=$(property "$id" SubState)
if [ "$active" = failed ] || [ "$active" = inactive ] || [ "$sub" = auto-restart ] || [ "\${restarts:-0}" -gt 0 ]; then
  echo "$unit$id does not stay up: $active ($sub), exit status $(property "$id" ExecMainStatus), $restarts restarts"
fi
`.replaceAll('\\${', '${');

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
  left=$(connections "$run/$id.sock")
  systemctl disable --quiet --now "$unit$id.service"
  [ "$(property "$id" Result)" != timeout ] || cut=$((cut + left))
  systemctl reset-failed "$unit$id.service" "$(others "$id")" 2>/dev/null || true
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
    [ "$(basename "$(readlink "$link" || true)")" != "$key" ] || used=1
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
  id=\${id%.service}
  left=$(connections "$run/$id.sock")
  systemctl disable --quiet --now "$one"
  [ "$(property "$id" Result)" != timeout ] || cut=$((cut + left))
  systemctl reset-failed "$one" 2>/dev/null || true
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
