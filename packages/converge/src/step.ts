import type { Step } from '@perlstack/procedure';

interface HostStep extends Step {
  readonly host: string;
}

/** Installs packages; no daemon starts before its configuration is there. */
export interface PackagesStep extends HostStep {
  readonly kind: 'packages';
  readonly packages: readonly string[];
}

/** Makes or completes system accounts, named as in the bundle. */
export interface UsersStep extends HostStep {
  readonly kind: 'users';
  readonly users: readonly string[];
}

/** Makes folders and sets their owner and mode. */
export interface DirectoriesStep extends HostStep {
  readonly kind: 'directories';
  readonly paths: readonly string[];
}

/** Lays the new files beside the live ones and lets the services' own checkers look at the result. */
export interface ValidateStep extends HostStep {
  readonly kind: 'validate';
  readonly services: readonly {
    readonly service: string;
    readonly files: readonly string[];
    readonly removes: readonly string[];
  }[];
}

/** Puts a service's staged files in place, brings them into force and probes; goes back when that fails. */
export interface ApplyStep extends HostStep {
  readonly kind: 'apply';
  readonly service: string;
  readonly files: readonly string[];
  readonly removes: readonly string[];
  /** The running service does not (or may not) know its configuration yet. */
  readonly reloadDue: boolean;
  /** Of the service's configuration: kept on the host as the one in force, once it is. */
  readonly digest: string;
}

/** Removes staged files and backups when the run has held. */
export interface CleanStep extends HostStep {
  readonly kind: 'clean';
}

export type ConvergeStep = PackagesStep | UsersStep | DirectoriesStep | ValidateStep | ApplyStep | CleanStep;

/** One difference between bundle and host: what a person reads before agreeing to the plan. */
export interface Change {
  readonly host: string;
  /** The service it belongs to; `null` for accounts and for what an earlier run left behind. */
  readonly service: string | null;
  readonly kind: 'package' | 'user' | 'directory' | 'file' | 'remove' | 'unit' | 'leftovers';
  /** Path, or name of package, account or unit. */
  readonly target: string;
  /** `new`, `content`, `mode 0600 → 0644`, `to be started`. */
  readonly what: string;
  /** Unified diff of a file whose content changes; of a secret one only that it does. */
  readonly diff?: string;
}

export interface ConvergePlan {
  readonly steps: readonly ConvergeStep[];
  readonly changes: readonly Change[];
}
