import type { Step } from '@perlstack/procedure';
import type { Work } from './audit.js';

interface OnHost extends Step {
  /** An app host, except for `hold`, which has none. */
  readonly host: string;
}

interface OfRelease extends OnHost {
  readonly release: string;
}

/** The artifact arrives, is verified and unpacked. */
export interface UploadStep extends OfRelease {
  readonly kind: 'upload';
  readonly sha256: string;
}

/** The release comes from a host that keeps it, with its modules where they are none of those that this host has. */
export interface CopyStep extends OfRelease {
  readonly kind: 'copy';
  /** The host that keeps it. */
  readonly source: string;
  /** Keys of the modules that are here already. */
  readonly modules: readonly string[];
}

/** The release gets its modules: built on this host, from where the others fetch them, or there already. */
export interface ModulesStep extends OfRelease {
  readonly kind: 'modules';
  readonly key: string;
  readonly command: readonly string[];
  /** The host that has them; null on that host itself. */
  readonly source: string | null;
}

/** The PSGI file compiles with the release's own modules, as the application's user. */
export interface CompileStep extends OfRelease {
  readonly kind: 'compile';
  /** The application is loaded too, with the environment that it will have. */
  readonly load: boolean;
}

/** The release's own instance starts beside the one that serves. */
export interface BootStep extends OfRelease {
  readonly kind: 'boot';
}

/** It answers as it should through its own socket. */
export interface ProveStep extends OfRelease {
  readonly kind: 'prove';
}

/** Requests go to it from now on. */
export interface SwitchStep extends OfRelease {
  readonly kind: 'switch';
  /** What serves when the switch is undone; null on a host's first deploy. */
  readonly from: string | null;
  /** What is noted as the previous release when the switch is undone. */
  readonly previous: string | null;
}

/** A web host sees the release the way requests go. */
export interface GateStep extends OfRelease {
  readonly kind: 'gate';
}

/** The instances that served before have no connection any more. */
export interface DrainStep extends OnHost {
  readonly kind: 'drain';
  readonly releases: readonly string[];
  /** Wait for the host's port as well: it is out of service. */
  readonly port: boolean;
}

/** The app host refuses connections, and the web hosts turn to others. */
export interface TakeOutStep extends OnHost {
  readonly kind: 'take-out';
}

/** The old instance stops and the new one starts in its place, on a host that is out of service. */
export interface RestartStep extends OfRelease {
  readonly kind: 'restart';
  readonly from: string | null;
  readonly previous: string | null;
}

/** The app host takes connections again, and the web hosts send it requests. */
export interface PutBackStep extends OnHost {
  readonly kind: 'put-back';
  /** The web hosts left it out. */
  readonly leftOut: boolean;
}

/** Every web host sees the release on every app host: the roll-out holds. */
export interface HoldStep extends Step {
  readonly kind: 'hold';
  readonly release: string;
}

/** Instances that serve nobody stop; old releases and unfinished uploads go. */
export interface FinishStep extends OfRelease {
  readonly kind: 'finish';
  readonly stop: readonly string[];
  /** Ids of releases and names of unfinished uploads. */
  readonly remove: readonly string[];
}

/** The database becomes what the release needs: once a release, before any of its instances starts. It is never undone. */
export interface MigrateStep extends OfRelease {
  readonly kind: 'migrate';
  /** A program of the release and its arguments. */
  readonly command: readonly string[];
}

/** The first hosts alone have the release for a while, and are compared with the rest. */
export interface BakeStep extends Step {
  readonly kind: 'bake';
  readonly release: string;
  readonly hosts: readonly string[];
  /** Milliseconds. */
  readonly ms: number;
  /** As in `Canary`. */
  readonly slowdown: number;
}

/** The web hosts send nothing to an app host that the deploy goes on without. */
export interface LeaveOutStep extends OnHost {
  readonly kind: 'leave-out';
  /** An earlier deploy left it out, though not every web host knows: it stays out, whatever becomes of this one. */
  readonly lasting: boolean;
}

/** The deploy lock is held; it is in the journal so that whoever comes after a kill frees it. */
export interface LockStep extends Step {
  readonly kind: 'lock';
  /** What is done under it, once that is known. */
  readonly work?: Work;
}

export type ReleaseStep =
  | UploadStep
  | CopyStep
  | ModulesStep
  | CompileStep
  | BootStep
  | ProveStep
  | SwitchStep
  | GateStep
  | DrainStep
  | TakeOutStep
  | RestartStep
  | PutBackStep
  | HoldStep
  | MigrateStep
  | BakeStep
  | LeaveOutStep
  | FinishStep
  | LockStep;
