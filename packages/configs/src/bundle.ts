/**
 * What every host of a stack is to be: plain data that can be printed, compared and applied. Written by `render`,
 * read by converge; a further service is one more entry of `services`, and neither side has to know its name.
 */
export interface ConfigBundle {
  stack: string;
  hosts: HostBundle[];
  /** What the bundle leaves out or takes for granted, as sentences for the user. */
  notes: string[];
}

export interface HostBundle {
  /** Name in the inventory, `web-1`. */
  host: string;
  users: SystemUser[];
  /** In the order in which they are to be converged. */
  services: ServiceConfig[];
}

/** A system account without a password; its primary group has its own name. */
export interface SystemUser {
  name: string;
  home: string;
  shell: string;
  /** Supplementary groups. */
  groups: string[];
}

/** A service of a host, as others name it. */
export interface ServiceRef {
  host: string;
  service: string;
}

export interface ServiceConfig {
  /** `nginx`, `starman`. */
  name: string;
  /** Services, of this host or others, that must be in force before this one is touched. */
  after?: ServiceRef[];
  /** Files that the packages' own install scripts read: laid before anything is installed. */
  presets?: ManagedFile[];
  /** Debian packages. */
  packages: string[];
  directories: ManagedDirectory[];
  files: ManagedFile[];
  /** Absolute paths that must not exist, such as Debian's default site. */
  removes: string[];
  /** Configuration folders that are staged as a whole for the validator, such as `/etc/nginx`. */
  roots: string[];
  /** Argument vectors of the service's own checkers; they run where the staged roots are mounted over the real ones. */
  validate: string[][];
  /** `null`: only files (and a daemon-reload where `daemonReload` says so). */
  unit: ManagedUnit | null;
  /** One of the files is a systemd unit: `systemctl daemon-reload` comes before anything else. */
  daemonReload: boolean;
  /** Argument vectors that must succeed after the reload, or the change is rolled back. */
  probe: string[][];
  /** A mistake in it locks everybody out: that a new SSH connection is let in is part of its probe. */
  guardsAccess?: boolean;
  /** What it keeps besides its files, and what has to be known of that. It may hold secrets and is never printed. */
  engine?: EngineSpec;
}

export type EngineSpec = PostgresSpec | RedisSpec | SentinelSpec;

/** A host that takes part in a cluster. */
export interface Member {
  host: string;
  /** Where the other members, and the application, reach it. */
  address: string;
}

/** A PostgreSQL cluster, as every host of it is told of it. */
export interface PostgresSpec {
  kind: 'postgresql';
  version: 15 | 16 | 17;
  /** `/var/lib/postgresql/17/main` */
  dataDirectory: string;
  /** The unit that runs it, `postgresql@17-main.service`. */
  unit: string;
  port: number;
  /** All members; the first is the primary of a cluster that is yet to be made. */
  members: Member[];
  /** Roles that log in, with their SCRAM verifiers: the server never sees a password. */
  roles: { name: string; attributes: ('LOGIN' | 'REPLICATION')[]; memberOf: string[]; verifier: string }[];
  databases: { name: string; owner: string; extensions: string[] }[];
  /** The role with which replicas connect; its password stands in `passfile` on every member. */
  replication: { role: string; passfile: string };
}

/** A Redis primary with its replicas. */
export interface RedisSpec {
  kind: 'redis';
  version: 7 | 8;
  port: number;
  /** The file that belongs to Redis: it holds what a failover decided, and is made once and never written again. */
  liveFile: string;
  /** File with the line that logs redis-cli in, for root's eyes only. */
  passwordFile: string;
  /** All members; the first is the primary where no other is known. */
  members: Member[];
  /** Where the Sentinels are asked who the primary is; empty without them. */
  sentinels: Member[];
  /** The primary's name among the Sentinels. */
  service: string;
}

/** The Sentinels that watch a Redis primary. */
export interface SentinelSpec {
  kind: 'sentinel';
  version: 7 | 8;
  port: number;
  /** The file that belongs to Sentinel. */
  liveFile: string;
  passwordFile: string;
  members: Member[];
  /** The data nodes. */
  watched: Member[];
  watchedPort: number;
  service: string;
  quorum: number;
}

export interface ManagedUnit {
  name: string;
  enabled: boolean;
  state: 'running' | 'stopped' | 'untouched';
  onChange: 'reload' | 'restart' | 'none';
  /** A restart is an outage, however short: it is made only with the user's consent. */
  restartAsks?: boolean;
}

export interface ManagedDirectory {
  path: string;
  owner: string;
  group: string;
  /** Permission bits, such as 0o755. */
  mode: number;
}

export interface ManagedFile {
  path: string;
  content: string;
  owner: string;
  group: string;
  /** Permission bits, such as 0o644. */
  mode: number;
  /** The content is never printed, only its hash is compared. */
  secret: boolean;
  /** What it takes until a changed content is in force, where that is not the unit's `onChange`. */
  effect?: 'reload' | 'restart' | 'none';
  /** Marks of others in the live file: they are no drift, and stay when it is written. Not in secret files. */
  keeps?: KeptMarks;
}

/** `down` at servers of nginx's upstream: deploys write it and take it away, and rendering knows of none. */
export interface KeptMarks {
  kind: 'nginx-upstream-down';
  /** The servers as the file names them, and the hosts behind them. */
  servers: { server: string; host: string }[];
}
