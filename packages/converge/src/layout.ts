/** Where converge keeps its own things on a host; only root may look into it. */
export const STATE_FOLDER = '/var/lib/perlstack/converge';

/** Exit code of a script that found another at work on its host. */
export const BUSY = 76;

const SAY_BUSY = `{ echo 'another run of converge is at work' >&2; exit ${BUSY}; }`;

/**
 * Waits for another of our scripts on the host to end: one whose runner was killed goes on by itself, because half a
 * change is worse than a whole one. Expects `$base`.
 */
export const TAKE_LOCK = `
exec 9>"$base/lock"
flock -w 60 9 || ${SAY_BUSY}
`;

/** The unit of the timer that takes a change back which nobody confirmed, but for the service's name. */
export const GUARD_UNIT = 'perlstack-guard-';

/**
 * Waits until no change of a run that is gone can be taken back any more: what is seen would not last. Expects `$base`.
 */
export const AWAIT_GUARDS = `
armed() { systemctl is-active --quiet "${GUARD_UNIT}$1.timer" "${GUARD_UNIT}$1.service"; }
for guard in "$base"/guard/*; do
  [ -e "$guard" ] || continue
  # Between the timer's end and the start of what it starts, neither is active.
  while [ -e "$guard" ] && { armed "\${guard##*/}" || { sleep 1; armed "\${guard##*/}"; }; }; do sleep 0.5; done
done
`;

/** Like TAKE_LOCK for one that only looks, which makes no lock where there is none. */
export const SHARE_LOCK = `
if [ -e "$base/lock" ]; then
  exec 9<"$base/lock"
  flock -s -w 60 9 || ${SAY_BUSY}
fi
`;

/** Reads the whole input into `$records` before anything is done. */
export const READ_RECORDS = `
tab=$(printf '\\t')
records=$(cat)
[ "$(printf '%s\\n' "$records" | tail -n 1)" = end ] || { echo 'the input broke off' >&2; exit 75; }
`;

/**
 * Keeps how the service's files were last left, for the next run to see what others changed: `remember` lines of path,
 * sha256 (or `-`: nothing may be there), owner, group, mode. Expects `$records` and `$tab`; writes to its argument.
 */
export const REMEMBER = `
remember_in() {
  printf '%s\\n' "$records" | sed -n "s/^remember$tab//p" > "$1.new" && mv -f -- "$1.new" "$1"
}
`;
