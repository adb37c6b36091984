/** What all scripts begin with: the password goes to redis-cli through its standard input. */
export const ASK = `
set -u
say() { printf '%s\\n%s\\n' "$1" "$3" | redis-cli -h 127.0.0.1 -p "$2" 2>&1 | tail -n +2 | tr -d '\\r'; }
# Asks a server on this host: file with the password, port, command.
ask() { say "$(cat -- "$1")" "$2" "$3"; }
is_up() { systemctl is-active --quiet "$1"; }
`;

/**
 * Says what is there, a line each, and changes nothing.
 *
 * Arguments: of Redis the live file, password file, port and unit; the same of Sentinel; the primary's name.
 */
export const OBSERVE_SCRIPT = `${ASK}
live=$1 auth=$2 port=$3 unit=$4 sentinel_live=$5 sentinel_auth=$6 sentinel_port=$7 sentinel_unit=$8 service=$9
if [ -e "$live" ]; then
  echo live
  sed -n 's/^replicaof "\\{0,1\\}\\([^" ]*\\).*/follows \\1/p' "$live" | tail -n 1
fi
# A run that was killed may have left a password that the server has yet to hear of: its own file has the one it knows.
ask_any() { # password-file port command live-file
  said=$(ask "$1" "$2" "$3")
  case $said in
    *'NOAUTH '*) say "$(sed -n 's/^\\(masterauth\\|sentinel auth-pass [^ ]*\\) /AUTH /p' "$4" | tail -n 1)" "$2" "$3" ;;
    *) printf '%s\\n' "$said" ;;
  esac
}
folder=$(dirname -- "$live")
for data in "$folder"/dump.rdb "$folder"/appendonlydir; do if [ -e "$data" ]; then echo data; fi; done
if [ -e "$live" ] && [ -e "$auth" ] && is_up "$unit"; then
  said=$(ask_any "$auth" "$port" 'INFO replication' "$live")
  case $said in
    *role:*) printf '%s\\n' "$said" | sed -n 's/^\\(role\\|master_host\\|master_link_status\\|[a-z]*_repl_offset\\):/\\1 /p' ;;
    *) printf 'error %s\\n' "$(printf %s "$said" | tail -n 1)" ;;
  esac
fi
if [ -e "$sentinel_live" ]; then echo sentinel-live; fi
if [ -e "$sentinel_live" ] && [ -e "$sentinel_auth" ] && is_up "$sentinel_unit"; then
  said=$(ask_any "$sentinel_auth" "$sentinel_port" "SENTINEL GET-MASTER-ADDR-BY-NAME $service" "$sentinel_live" | head -n 1)
  case $said in
    *' '*) printf 'error %s\\n' "$said" ;;
    *) printf 'sentinel-runs\\nsentinel-names %s\\nsentinel-flags %s\\n' "$said" \\
         "$(ask_any "$sentinel_auth" "$sentinel_port" "SENTINEL MASTER $service" "$sentinel_live" | sed -n '/^flags$/{n;p;}')" ;;
  esac
fi
echo end
`;

/** Where it is kept that a live file was made by us, and whether a copy of the primary's data would be its only data. */
const MARKS = '/var/lib/perlstack/redis';

/**
 * Makes a live file where there is none; one that is there belongs to its program. What it is to hold is the input.
 *
 * Data that is there already is taken up as it is: a Redis that is told of a file it does not have would begin empty.
 *
 * Arguments: live file, service, `redis` or `sentinel`.
 */
export const SEED_SCRIPT = `
set -eu
live=$1 service=$2 program=$3
content=$(cat)
if [ -e "$live" ]; then echo 'is there already'; exit 0; fi
umask 077
folder=$(dirname -- "$live")
had=data
if [ "$program" = redis ]; then
  aof=yes
  if [ ! -e "$folder/appendonlydir" ] && [ ! -e "$folder/dump.rdb" ]; then had=nothing
  elif [ ! -e "$folder/appendonlydir" ]; then aof=no
  fi
  content="$content
appendonly $aof"
fi
mkdir -p -- ${MARKS}
new=$(mktemp "$folder/.seed.XXXXXX")
trap 'rm -f -- "$new"' EXIT
trap 'exit 143' TERM INT HUP PIPE
printf '%s\\n' "$content" > "$new"
chown redis:redis -- "$new"
chmod 0640 -- "$new"
sync -- "$new"
printf '%s\\n' "$had" > "${MARKS}/$service"
# Unlike a rename it takes nobody's file away.
ln -- "$new" "$live"
`;

/**
 * Takes away what the seeding made, if it did: the live file, and of a replica the copy of data that came after it.
 *
 * Arguments: live file, service, unit, `replica` or another word.
 */
export const UNSEED_SCRIPT = `
set -eu
live=$1 service=$2 unit=$3 role=$4
mark=${MARKS}/$service
[ -e "$mark" ] || exit 0
if systemctl is-active --quiet "$unit"; then echo "$unit runs: its file stays" >&2; exit 1; fi
had=$(cat -- "$mark")
rm -f -- "$live"
if [ "$role" = replica ] && [ "$had" = nothing ]; then
  folder=$(dirname -- "$live")
  rm -rf -- "$folder/appendonlydir" "$folder/dump.rdb"
fi
rm -f -- "$mark"
echo removed
`;

/** What a replica says of its link. Arguments: password file, port. */
export const LINK_SCRIPT = `${ASK}
ask "$1" "$2" 'INFO replication'
`;

/** Whether the Sentinels can agree. Arguments: password file, port, the primary's name. */
export const QUORUM_SCRIPT = `${ASK}
ask "$1" "$2" "SENTINEL CKQUORUM $3"
`;

/**
 * Gives the primary's role to a replica that has all of its writes: writes wait, for some seconds at the most, until a
 * replica has caught up. A plain SENTINEL FAILOVER loses those that are on their way.
 *
 * Arguments: password file, Redis's port, Sentinel's port, the primary's name.
 */
export const HANDOVER_SCRIPT = `${ASK}
auth=$1 port=$2 sentinel_port=$3 service=$4
redis() { ask "$auth" "$port" "$1"; }
primary() { ask "$auth" "$sentinel_port" "SENTINEL GET-MASTER-ADDR-BY-NAME $service" | head -n 1; }
give_up() { redis 'CLIENT UNPAUSE' > /dev/null; printf '%s\\n' "$1" >&2; exit 1; }
is_replica() { redis 'INFO replication' | grep -q '^role:slave'; }
caught_up() {
  info=$(redis 'INFO replication')
  offset=$(printf '%s\\n' "$info" | sed -n 's/^master_repl_offset://p')
  printf '%s\\n' "$info" | grep -q "^slave[0-9]*:.*,state=online,offset=$offset,"
}
has_changed() { case $(primary) in "$before" | '' | *' '*) return 1 ;; esac; }
# A Sentinel whose clock or machine stood still does nothing for 30 s after it, also not what it says OK to.
acts() { ask "$auth" "$sentinel_port" 'INFO sentinel' | grep -q '^sentinel_tilt:0'; }
flags() { ask "$auth" "$sentinel_port" "SENTINEL MASTER $service" | sed -n '/^flags$/{n;p;}'; }
# Whole seconds by the host's own clock: on a busy host a try takes long, and the pause of writes does not wait for it.
up_for() { read -r up rest < /proc/uptime; up=\${up%.*}; }
within() { # seconds condition
  up_for; end=$((up + $1))
  until "$2"; do up_for; [ "$up" -lt "$end" ] || return 1; sleep 0.1; done
}
hold_writes() { [ "$(redis 'CLIENT PAUSE 15000 WRITE')" = OK ] || give_up 'writes could not be held'; }
if is_replica; then echo 'is a replica already'; exit 0; fi
trap 'give_up "stopped"' TERM INT HUP
within 45 acts || give_up 'Sentinel is in TILT mode: the clock of this host jumps, or it has no time to run'
before=$(primary)
hold_writes
within 5 caught_up || give_up 'no replica caught up while writes were held; try again when there is less to write'
# For as long again: one that takes writes once more loses them when it becomes a replica.
hold_writes
said=$(ask "$auth" "$sentinel_port" "SENTINEL FAILOVER $service")
[ "$said" = OK ] || give_up "Sentinel does not make another primary: $said"
within 12 has_changed ||
  give_up "Sentinel made no other primary in 12 s: the primary is $(flags), Sentinel $(acts && echo acts || echo 'is in TILT mode')"
# Sentinel would say so too, but only some 10 s later, and the restart that comes next goes by what is written down.
redis "REPLICAOF $(primary) $port" > /dev/null
within 5 is_replica || give_up 'it did not become a replica'
[ "$(redis 'CONFIG REWRITE')" = OK ] || give_up 'it could not write down that it is a replica'
redis 'CLIENT UNPAUSE' > /dev/null
echo 'handed over'
`;
