/** What was seen on the hosts, as far as the bundle speaks of it. It holds no content of secret files. */
export interface Observed {
  readonly hosts: Readonly<Record<string, ObservedHost>>;
  /** By kind of engine, then by host: what that engine saw, for it alone to read. */
  readonly engines: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}

export interface ObservedHost {
  /** Those of the bundle's packages that are installed. */
  readonly packages: readonly string[];
  /** By name; absent when the host does not have it. */
  readonly users: Readonly<Record<string, ObservedUser>>;
  /** By path; absent when nothing is there. */
  readonly directories: Readonly<Record<string, ObservedDirectory>>;
  readonly files: Readonly<Record<string, ObservedFile>>;
  /** Paths that must not exist, and do. */
  readonly unwanted: readonly string[];
  /** By name of the unit. */
  readonly units: Readonly<Record<string, ObservedUnit>>;
  /** By service: digest of the configuration that was last brought into force by us. */
  readonly inForce: Readonly<Record<string, string>>;
  /** By path: how we last left what now belongs to the bundle; absent where we never did, or do not know. */
  readonly remembered: Readonly<Record<string, Remembered>>;
  /** Paths that a run of ours was about to change when it ended: nobody else need have touched them. */
  readonly underWay: readonly string[];
  /** An earlier run did not come to its end: its staged files or backups are still there. */
  readonly leftovers: boolean;
}

export interface ObservedUser {
  readonly home: string;
  readonly shell: string;
  readonly groups: readonly string[];
}

export type ObservedDirectory = Ownership | 'not-a-directory';

export interface Ownership {
  readonly owner: string;
  readonly group: string;
  readonly mode: number;
}

/** A file's owner, mode and content as one can compare them. */
export interface Version extends Ownership {
  readonly sha256: string;
}

/** `absent`: it was one of the paths that must not exist. */
export type Remembered = Version | 'absent';

export type ObservedFile = ObservedContent | 'not-a-file';

export interface ObservedContent extends Version {
  /** Only of files that are not secret, differ and are not very long. */
  readonly content?: string;
}

export interface ObservedUnit {
  readonly enabled: boolean;
  readonly active: boolean;
}
