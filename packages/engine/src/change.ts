/** One difference between bundle and host: what a person reads before agreeing to the plan. */
export interface Change {
  readonly host: string;
  /** The service it belongs to; `null` for accounts and for what an earlier run left behind. */
  readonly service: string | null;
  /** `data` is what an engine keeps: a cluster, a role, a replica. `drift` is shown, and left as it is. */
  readonly kind:
    'package' | 'user' | 'directory' | 'preset' | 'file' | 'remove' | 'drift' | 'unit' | 'data' | 'leftovers';
  /** Path, or name of package, account, unit or whatever an engine calls its own. */
  readonly target: string;
  /** `new`, `content`, `mode 0600 → 0644`, `to be started`, `restart`. */
  readonly what: string;
  /** Unified diff of a file whose content changes; of a secret one only that it does. */
  readonly diff?: string;
}
