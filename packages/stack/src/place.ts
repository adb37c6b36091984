import ipaddr from 'ipaddr.js';
import { hostsOf, type Host, type Inventory } from './inventory.js';
import { type Stack, TIERS, type TierName } from './schema.js';

/** A server that exists already, as the stack file names it. */
export interface ExistingHost {
  readonly address: string;
  readonly privateAddress?: string | undefined;
  /** Of its sshd. */
  readonly port: number;
}

/** What all tiers may say of themselves; which keys a tier really has, the schema knows. */
export interface TierSettings {
  readonly type?: string | undefined;
  readonly count: number;
  readonly on?: TierName | undefined;
  readonly hosts?: readonly ExistingHost[] | undefined;
  readonly autoscale?: { readonly min: number; readonly max: number } | undefined;
}

export function settingsOf(stack: Stack, tier: TierName): TierSettings | undefined {
  return stack.tiers[tier];
}

/** Whether Perl modules are built on an app host, from where the others fetch them. */
export const buildsOnHosts = ({ app }: Stack): boolean =>
  app.build.with !== 'none' && app.build.on === 'host';

/** Whether the hosts of a tier are made by us: not those that exist already, nor those of another tier. */
export function isProvisioned(stack: Stack, tier: TierName): boolean {
  const settings = settingsOf(stack, tier);
  return settings !== undefined && !settings.hosts && !settings.on;
}

/** The tier on whose hosts a role runs (`on`), itself if it has its own; `null` when the stack has no such role. */
export function placeOf(stack: Stack, role: TierName): TierName | null {
  let tier: TierName = role;
  for (let step = 0; step < TIERS.length; step += 1) {
    const settings = settingsOf(stack, tier);
    if (!settings) return null;
    if (!settings.on) return tier;
    tier = settings.on;
  }
  return null;
}

/**
 * The hosts on which a role runs, its own or those that it shares: as many of these as its `count` says, the first ones.
 */
export function hostsOfRole(stack: Stack, inventory: Inventory, role: TierName): Host[] {
  const place = placeOf(stack, role);
  if (place === null) return [];
  const hosts = hostsOf(inventory, place);
  return place === role ? hosts : hosts.slice(0, settingsOf(stack, role)?.count);
}

/** The tier through whose hosts SSH reaches the others: web where it is public, else the first that is; or `null`. */
export function jumpTier(stack: Stack): TierName | null {
  return TIERS.find((tier) => isProvisioned(stack, tier) && stack.network.public.includes(tier)) ?? null;
}

/** The /24 of a tier in the network of the stack: each has its fixed place, so that a new tier moves nothing. */
export function subnetOf(stack: Stack, tier: TierName): string {
  return `${prefixOf(stack, TIERS.indexOf(tier))}.0/24`;
}

/** The /24 from which a NodeBalancer speaks to the web hosts: the one after those of all tiers. */
export function entrySubnet(stack: Stack): string {
  return `${prefixOf(stack, TIERS.length)}.0/24`;
}

/** Address of a host in its subnet; Linode keeps the first two and the last two for itself. */
export function addressOf(stack: Stack, tier: TierName, number: number): string {
  return `${prefixOf(stack, TIERS.indexOf(tier))}.${number + 1}`;
}

function prefixOf(stack: Stack, index: number): string {
  const [a = 0, b = 0, c = 0] = ipaddr.IPv4.networkAddressFromCIDR(stack.network.vpc).octets;
  return `${a}.${b}.${c + index}`;
}
