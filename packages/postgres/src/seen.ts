/** What was seen of a member. It holds no password and no verifier. */
export interface PostgresSeen {
  /** PostgreSQL's programs of the wanted version are there. */
  readonly installed: boolean;
  /** The unit is active. */
  readonly running: boolean;
  /** Its data directory; `null` when there is none, or an empty one. */
  readonly data: DataSeen | null;
  /** Other major versions of which there is a cluster. */
  readonly otherVersions: readonly number[];
  /** What the running server says of itself; `null` when it doesn't run or doesn't answer. */
  readonly server: ServerSeen | null;
  /** Why a running server did not answer; `null` when it did, or doesn't run. */
  readonly silence: string | null;
}

/** What the data directory tells without a server. */
export interface DataSeen {
  readonly version: number;
  /** It comes up as a replica (`standby.signal`). */
  readonly standby: boolean;
  readonly systemIdentifier: string;
  /** `in production`, `shut down`, `in archive recovery`, … */
  readonly state: string;
  /** Timeline and position up to which it is known to reach. */
  readonly timeline: number;
  readonly lsn: string;
  readonly checksums: boolean;
}

export interface ServerSeen {
  readonly inRecovery: boolean;
  /** When the server was started, as PostgreSQL writes it. */
  readonly startedAt: string;
  readonly systemIdentifier: string;
  readonly timeline: number;
  /** A primary's own position; what a replica has received. */
  readonly lsn: string;
  /** A replica that has replayed all that it has, and waits for more. */
  readonly atEnd: boolean;
  /** Bytes of a WAL segment. */
  readonly segmentBytes: number;
  /** Name of the oldest WAL file that is still there. */
  readonly oldestWal: string | null;
  /** Where earlier timelines ended, of the history of this server's own. */
  readonly history: readonly { readonly timeline: number; readonly lsn: string }[];
  /** How a replica receives; `null` on a primary, and while there is no connection. */
  readonly receiver: {
    readonly status: string;
    readonly sender: string | null;
    readonly slot: string | null;
  } | null;
  /** Where a replica connects to, as `primary_conninfo` says; `null` on a primary. */
  readonly follows: string | null;
  /** Who receives from this server. */
  readonly replicas: readonly ReplicaSeen[];
  readonly slots: readonly {
    readonly name: string;
    readonly active: boolean;
    /** `reserved`, `extended`, `unreserved`, `lost`; `null` when it was never used. */
    readonly walStatus: string | null;
    /** From where on WAL is kept; `null` when it was never used, or its WAL is lost. */
    readonly restartLsn: string | null;
  }[];
  /** The wanted roles: those that a replica shows are its primary's. */
  readonly roles: Readonly<Record<string, 'missing' | 'differs' | 'current'>>;
  readonly databases: readonly string[];
  /** By database; one that is not there, or that nobody asked for, is absent. */
  readonly extensions: Readonly<Record<string, readonly string[]>>;
  /** Settings whose value in the files takes a restart. */
  readonly pendingRestart: readonly string[];
  /** Those that a replica must not have less of than its primary: in force, and as the files have them. */
  readonly limits: Readonly<Record<string, number>>;
  readonly declaredLimits: Readonly<Record<string, number>>;
  readonly checksums: boolean;
}

export interface ReplicaSeen {
  /** Name of the member. */
  readonly name: string;
  readonly address: string | null;
  /** `startup`, `catchup`, `streaming`, `backup`, `stopping`. */
  readonly state: string;
  /** `async`, `sync`, `quorum`, `potential`. */
  readonly syncState: string;
  /** What it has yet to replay, in bytes; `null` while it is not known. */
  readonly lagBytes: number | null;
  /** Age of the last replay, in seconds; `null` when there was nothing to replay. */
  readonly lagSeconds: number | null;
}

/** Settings of which a replica must have at least as much as its primary. */
export const LIMITS = [
  'max_connections',
  'max_locks_per_transaction',
  'max_prepared_transactions',
  'max_wal_senders',
  'max_worker_processes',
] as const;
