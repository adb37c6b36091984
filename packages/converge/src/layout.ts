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

/** The same for one that only looks, which makes no lock where there is none. */
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
