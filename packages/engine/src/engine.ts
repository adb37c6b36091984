import type { EngineSpec } from '@perlstack/configs';
import type { Handlers, Step } from '@perlstack/procedure';
import type { Remote } from '@perlstack/remote';
import type { Change } from './change.js';
import type { Consent } from './consent.js';

/** One service with a state of its own, on one host. */
export interface Member<Spec extends EngineSpec = EngineSpec> {
  readonly host: string;
  /** The service's name in the bundle. */
  readonly service: string;
  readonly spec: Spec;
}

/** What the plan will do with a member's unit: `null` when it leaves it alone. */
export type Due = 'start' | 'reload' | 'restart' | null;

/** A file of a member that will change, old and new; secret ones are left out. */
export interface ChangedFile {
  readonly path: string;
  /** `null` when there is none yet, or it is too long to be shown. */
  readonly before: string | null;
  readonly after: string;
}

export interface Intent {
  readonly due: Due;
  readonly files: readonly ChangedFile[];
}

/** A step of an engine; its kind begins with the engine's: `postgresql-clone`. It names no secret. */
export interface EngineStep extends Step {
  readonly host: string;
  readonly service: string;
}

export interface EnginePlan<S extends EngineStep> {
  readonly changes: readonly Change[];
  /**
   * Before the service's files come into force on the step's host, and after every host's new files were found valid.
   * Those of one host are done in the order of the list; an `after` may name any steps of this engine besides.
   */
  readonly before: readonly S[];
  /** After they did and the service runs. */
  readonly after: readonly S[];
  /** Which member has to be through with everything before which other is touched; it goes before the bundle's `after`. */
  readonly order: readonly { readonly first: string; readonly then: string }[];
  /** Why nothing may be done as things are: each says where, what, and what would allow it. */
  readonly refusals: readonly string[];
}

/**
 * What is known of one kind of service beyond files and units: who of its members leads, whether they follow, what it
 * takes to make one. Looks, decides and does, as everything here; `plan` is pure.
 */
export interface Engine<Spec extends EngineSpec, Seen, S extends EngineStep> {
  readonly kind: Spec['kind'];
  /**
   * By host; a member that is not installed yet is seen as such, one that can't be asked is an error. Writes nothing.
   * The members' hosts have answered converge a moment ago, and none of its scripts is at work there.
   */
  observe(
    remote: Remote,
    members: readonly Member<Spec>[],
    options: { readonly signal?: AbortSignal },
  ): Promise<Readonly<Record<string, Seen>>>;
  plan(
    members: readonly Member<Spec>[],
    seen: Readonly<Record<string, Seen>>,
    intents: Readonly<Record<string, Intent>>,
    consent: Consent,
  ): EnginePlan<S>;
  handlers(remote: Remote, members: readonly Member<Spec>[]): Handlers<S>;
}
