import {
  addressOf,
  isProvisioned,
  settingsOf,
  subnetOf,
  type Stack,
  TIERS,
  type TierName,
  type TierSettings,
} from '@perlstack/stack';
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
