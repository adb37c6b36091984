import type { Host, Inventory, Platform, Stack, TierName } from '@perlstack/stack';
import type { ServiceConfig, SystemUser } from './bundle.js';

/** Certificate (with its chain) and private key in PEM form. */
export interface TlsFiles {
  readonly certificate: string;
  readonly privateKey: string;
}

/** All that a renderer may look at. */
export interface World {
  readonly stack: Stack;
  readonly inventory: Inventory;
  readonly platform: Platform;
  /** Every secret that the stack needs, by name. */
  readonly secrets: Readonly<Record<string, string>>;
  readonly tls: TlsFiles | null;
  /** The hosts on which a role runs, in the order of their numbers. */
  readonly role: (role: TierName) => readonly Host[];
}

/** What one service adds to a host. */
export interface Rendered {
  readonly users?: readonly SystemUser[];
  readonly service: ServiceConfig;
}

/** Renders one service of one host; `null` where the stack file wants none there. */
export type Renderer = (world: World, host: Host) => Rendered | null;
