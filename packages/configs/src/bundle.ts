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

export interface ServiceConfig {
  /** `nginx`, `starman`. */
  name: string;
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
}

export interface ManagedUnit {
  name: string;
  enabled: boolean;
  state: 'running' | 'stopped' | 'untouched';
  onChange: 'reload' | 'restart' | 'none';
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
}
