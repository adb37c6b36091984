import ipaddr from 'ipaddr.js';
import { type Stack, TIERS, type TierName } from '@perlstack/stack';
import { firewallLabel, hostName, linodeLabel, placementLabel } from './names.js';

/** Types of tiers that name none: the cheapest on which the service runs well. */
export const DEFAULT_TYPES: Readonly<Record<TierName, string>> = {
  web: 'g6-nanode-1',
  app: 'g6-standard-1',
  database: 'g6-standard-2',
  cache: 'g6-nanode-1',
  monitor: 'g6-nanode-1',
};

export interface DesiredHost {
  /** `web-1` */
  readonly name: string;
  /** Label of the Linode: `shop-web-1`. */
  readonly label: string;
  readonly number: number;
  /** Its address in the VPC; it follows from the number, so that a host that is made anew keeps it. */
  readonly address: string;
}

/** A tier of Linodes as the stack file wants it. */
export interface DesiredTier {
  readonly tier: TierName;
  readonly type: string;
  readonly public: boolean;
  /** CIDR of its subnet; the subnet's label is the tier's name. */
  readonly subnet: string;
  readonly firewall: string;
  /** Label of its placement group, `null` for a single host. */
  readonly placement: string | null;
  readonly hosts: readonly DesiredHost[];
}

interface TierSettings {
  readonly type?: string | undefined;
  readonly count: number;
  readonly on?: TierName | undefined;
  readonly hosts?: readonly unknown[] | undefined;
  readonly autoscale?: { readonly min: number; readonly max: number } | undefined;
}

export function settingsOf(stack: Stack, tier: TierName): TierSettings | undefined {
  return stack.tiers[tier];
}

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

/** The tier through whose hosts SSH reaches the others: web where it is public, else the first that is; or `null`. */
export function jumpTier(stack: Stack): TierName | null {
  return TIERS.find((tier) => isProvisioned(stack, tier) && stack.network.public.includes(tier)) ?? null;
}

/** The /24 of a tier in the network of the stack: each has its fixed place, so that a new tier moves nothing. */
export function subnetOf(stack: Stack, tier: TierName): string {
  return `${prefixOf(stack, tier)}.0/24`;
}

/** Address of a host in its subnet; Linode keeps the first two and the last two for itself. */
export function addressOf(stack: Stack, tier: TierName, number: number): string {
  return `${prefixOf(stack, tier)}.${number + 1}`;
}

function prefixOf(stack: Stack, tier: TierName): string {
  const [a = 0, b = 0, c = 0] = ipaddr.IPv4.networkAddressFromCIDR(stack.network.vpc).octets;
  return `${a}.${b}.${c + TIERS.indexOf(tier)}`;
}

/**
 * The tiers of Linodes that a stack file wants.
 *
 * @param existing how many hosts a tier has now: an autoscaled tier stays as it is between its bounds
 */
export function layout(stack: Stack, existing: (tier: TierName) => number): DesiredTier[] {
  return TIERS.filter((tier) => isProvisioned(stack, tier)).map((tier) =>
    desiredTier(stack, tier, existing(tier)),
  );
}

function desiredTier(stack: Stack, tier: TierName, existing: number): DesiredTier {
  const settings = settingsOf(stack, tier);
  const count = settings ? countOf(settings, existing) : 0;
  return {
    tier,
    type: settings?.type ?? DEFAULT_TYPES[tier],
    public: stack.network.public.includes(tier),
    subnet: subnetOf(stack, tier),
    firewall: firewallLabel(stack.stack, tier),
    placement: count > 1 ? placementLabel(stack.stack, tier) : null,
    hosts: Array.from({ length: count }, (_, index) => desiredHost(stack, tier, index + 1)),
  };
}

function desiredHost(stack: Stack, tier: TierName, number: number): DesiredHost {
  return {
    name: hostName(tier, number),
    label: linodeLabel(stack.stack, tier, number),
    number,
    address: addressOf(stack, tier, number),
  };
}

function countOf({ count, autoscale }: TierSettings, existing: number): number {
  if (!autoscale) return count;
  return Math.min(Math.max(existing || count, autoscale.min), autoscale.max);
}
