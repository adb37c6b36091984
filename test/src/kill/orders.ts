import type { DeployResult, FinishResult, Strategy, Timings } from '@perlstack/release';
import type { Inventory } from '@perlstack/stack';

/** Where a run is to die: at the first boundary between two steps that it has not been killed at before. */
export interface Fate {
  /** Boundaries, such as `app-1/switch done`, at which it lives on. */
  readonly survived: readonly string[];
  /** A regular expression: boundaries that it does not match are lived through as well. */
  readonly only?: string;
}

interface Whole {
  /** The text of perlstack.yml. */
  readonly stackFile: string;
  readonly privateKey: string;
}

interface OnHosts extends Whole {
  readonly inventory: Inventory;
}

/** What a victim can be told to do, by name. */
export interface Tasks {
  readonly provision: Whole & {
    readonly apiUrl: string;
    readonly token: string;
    /** Hosts in memory have no sshd: their keys are not rotated. */
    readonly hostKeys: boolean;
  };
  readonly converge: OnHosts;
  readonly deploy: OnHosts & {
    readonly release: string;
    readonly artifact: string;
    readonly owner: string;
    /** Path of the journal. */
    readonly journal: string;
    readonly strategy: Strategy;
    readonly timings: Partial<Timings>;
  };
  readonly finish: Omit<Tasks['deploy'], 'artifact' | 'strategy'>;
}

/** What comes of it when it is not killed. */
export interface Results {
  readonly provision: {
    readonly inventory: Inventory;
    /** Ids of the steps that a second run would take. */
    readonly left: readonly string[];
  };
  readonly converge: {
    /** Ids of the steps that a second run would take. */
    readonly left: readonly string[];
  };
  readonly deploy: DeployResult;
  readonly finish: FinishResult;
}

export type Task = keyof Tasks;

/** One line on a victim's standard input. */
export type Order = {
  [T in Task]: { readonly task: T; readonly options: Tasks[T]; readonly fate: Fate | null };
}[Task];

/** The line that answers it: where it died, what came of it, or why it failed. */
export type Answer<T extends Task = Task> =
  { readonly boundary: string } | { readonly result: Results[T] } | { readonly error: string };
