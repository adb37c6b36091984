import type { Change, EngineStep } from '@perlstack/engine';
import type { Step } from '@perlstack/procedure';

interface HostStep extends Step {
  readonly host: string;
}

/** Lays files that the packages' own install scripts read. */
export interface PresetsStep extends HostStep {
  readonly kind: 'presets';
  readonly services: readonly { readonly service: string; readonly files: readonly string[] }[];
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
    /** By path: the servers that a file keeps marked, which stands in no bundle. */
    readonly marks?: Readonly<Record<string, readonly string[]>>;
  }[];
}

/** Puts a service's staged files in place, brings them into force and probes; goes back when that fails. */
export interface ApplyStep extends HostStep {
  readonly kind: 'apply';
  readonly service: string;
  readonly files: readonly string[];
  readonly removes: readonly string[];
  /** What the unit is told when it runs; one that doesn't is started. */
  readonly action: 'none' | 'reload' | 'restart';
  /** Of the service's configuration: kept on the host as the one in force, once it is. */
  readonly digest: string;
}

/** Removes staged files and backups when the run has held. */
export interface CleanStep extends HostStep {
  readonly kind: 'clean';
}

/** Steps of converge itself. */
export type ConvergeStep =
  PresetsStep | PackagesStep | UsersStep | DirectoriesStep | ValidateStep | ApplyStep | CleanStep;

/** Steps of a plan: converge's own and those of the engines. */
export type PlanStep = ConvergeStep | EngineStep;

export interface ConvergePlan {
  /** None when something is refused: then nothing may be done at all. */
  readonly steps: readonly PlanStep[];
  readonly changes: readonly Change[];
  /** Why the plan may not be carried out as it is, and what would allow it. */
  readonly refusals: readonly string[];
}
