/**
 * A lock on a host: a file that its owner gives a sign of life, by its time; of several who ask at once one has it. These are
 * scripts for a shell that has the file's path in `lock`; its folder is made. Whose it is says how the file's text begins.
 */
export const LOCK_FILE = {
  /**
   * Arguments: how our text begins, seconds of silence after which a lock counts as abandoned. Standard input: the text. Prints
   * `free`, `ours`, `abandoned` or `held`, each with the silence of what was there, and its text; with `free`, the seconds in which
   * no lock of this folder was taken or given back.
   */
  take: String.raw`
mine=$1 ttl=$2
install -d -m 755 "\${lock%/*}"
exec 9>"\${lock%/*}/mutex"
flock 9
# Whoever takes a lock or gives it back changes the folder.
how=free silent=$(($(date +%s) - $(stat -c %Y "\${lock%/*}")))
if [ -e "$lock" ]; then
  silent=$(($(date +%s) - $(stat -c %Y "$lock"))) text=$(cat "$lock")
  case $text in
    "$mine"*) how=ours ;;
    *) if [ "$silent" -gt "$ttl" ]; then how=abandoned; else how=held; fi ;;
  esac
fi
if [ "$how" != held ]; then
  cat >"$lock.next"
  mv -fT "$lock.next" "$lock"
fi
echo "$how" "$silent" "\${text:-}"
`.replaceAll('\\${', '${'),
  /** A sign of life. Argument: how our text begins. Exit 3: the lock is somebody else's, or gone. */
  renew: String.raw`
exec 9>"\${lock%/*}/mutex"
flock 9
case $(cat "$lock" 2>/dev/null) in "$1"*) touch -c "$lock" ;; *) exit 3 ;; esac
`.replaceAll('\\${', '${'),
  /** Argument: how our text begins. Harmless when the lock is somebody else's, or gone. */
  release: String.raw`
[ -e "$lock" ] || exit 0
exec 9>"\${lock%/*}/mutex"
flock 9
case $(cat "$lock" 2>/dev/null) in "$1"*) rm -f "$lock" ;; esac
`.replaceAll('\\${', '${'),
} as const;

/** What `take` found. */
export interface LockFound {
  readonly how: 'free' | 'ours' | 'abandoned' | 'held';
  /** Since the last sign of life of what was there, or since a lock was last there, by the host's clock. */
  readonly silentSeconds: number;
  /** Of what was there. */
  readonly text: string;
}

/** Reads what `take` printed. @throws Error for anything else */
export function lockFound(stdout: string): LockFound {
  const [, how, silent, text = ''] = /^(free|ours|abandoned|held) (-?\d+) ?(.*)/.exec(stdout) ?? [];
  if (how === undefined) throw new Error(`the lock's script printed ${JSON.stringify(stdout)}`);
  return { how: how as LockFound['how'], silentSeconds: Number(silent), text };
}
