import type { AuditEntry } from './audit.js';
import type { AppFacts, WebFacts } from './preflight/facts.js';

/** A release folder on an app host. */
export interface ReleaseFolder {
  readonly id: string;
  /** SHA-256 of the artifact it was unpacked from; null for a folder that no deploy of ours made. */
  readonly sha256: string | null;
  /** A roll-out of it held. */
  readonly good: boolean;
  /** A roll-out of it failed: never chosen to go back to. */
  readonly bad: boolean;
  /** Its migration ran to its end, from this host or, as far as this one could be told, from another. */
  readonly migrated: boolean;
  /** Its size without modules that were built on a host; null where a deploy of before has not noted it. */
  readonly bytes: number | null;
  /** Key of those modules; null where it has none. */
  readonly tree: string | null;
  /** When it was unpacked, in seconds since the epoch by the host's clock. */
  readonly unpackedAt: number;
}

/** Modules that were built on a host, or fetched from one. */
export interface ModuleTree {
  readonly key: string;
  /** Null where nobody has noted it. */
  readonly bytes: number | null;
}

/** An instance of the application, loaded in systemd. */
export interface Instance {
  readonly id: string;
  /** systemd's ActiveState and SubState. */
  readonly active: string;
  readonly sub: string;
  readonly restarts: number;
  /** Bytes; null when systemd does not know. */
  readonly memory: number | null;
}

/** What an app host shows. */
export interface AppHostState {
  readonly host: string;
  /** The application's user and unit template are there: the configuration was applied. */
  readonly configured: boolean;
  /** Release of the `current` link (static files, commands by hand); null when there is none. */
  readonly current: string | null;
  /** Release of the socket link, which is what gets the requests; null when there is none. */
  readonly serving: string | null;
  /** Release that served before. */
  readonly previous: string | null;
  readonly releases: readonly ReleaseFolder[];
  readonly modules: readonly ModuleTree[];
  /** Names of unfinished uploads. */
  readonly partials: readonly string[];
  readonly instances: readonly Instance[];
  /** Instances that start with the host. */
  readonly enabled: readonly string[];
  /** Bytes. */
  readonly memoryAvailable: number;
  readonly diskAvailable: number;
  /** It refuses connections, as a deploy told it to that was killed then; null where it cannot be told so. */
  readonly refusing: boolean | null;
  /** Connections that the serving instance has now. */
  readonly inFlight: number;
  /** Why the wanted release is not healthy on this host; null when it is; undefined when it does not serve here. */
  readonly complaint?: string | null;
}

/** What a web host shows. */
export interface WebHostState {
  readonly host: string;
  /** Addresses of app hosts that it is told to leave out. */
  readonly down: readonly string[];
}

/** Who holds the deploy lock. */
export interface Holder {
  readonly owner: string;
  /** Who started it, where that is known. */
  readonly actor: string | null;
  readonly url: string | null;
  readonly release: string;
  /** ISO 8601, by the owner's clock. */
  readonly since: string;
  /** Seconds since its last sign of life, by the clock of the host that keeps the lock. */
  readonly silentSeconds: number;
}

/** A host that could not be looked at. */
export interface Unreachable {
  readonly host: string;
  readonly tier: 'app' | 'web';
  /** A sentence. */
  readonly reason: string;
}

export interface Observed {
  readonly app: readonly AppHostState[];
  readonly web: readonly WebHostState[];
  readonly unreachable: readonly Unreachable[];
  /** How the hosts are configured, whoever did it. */
  readonly facts: { readonly app: readonly AppFacts[]; readonly web: readonly WebFacts[] };
  /** What was deployed before, oldest first. */
  readonly audit: readonly AuditEntry[];
  /** Deploy locks, and the app host that keeps each: more than one where a host fell silent that kept one. */
  readonly locks: readonly (Holder & { readonly host: string })[];
}

/** True for an instance that runs or is about to. */
export const isLive = ({ active }: Instance): boolean => active !== 'inactive' && active !== 'failed';
