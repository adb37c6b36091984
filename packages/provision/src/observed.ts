import type { RuleSet, TcpPortSettings } from '@perlstack/linode';
import type { TierName } from '@perlstack/stack';

/** A Linode type as plans and inventories need it. */
export interface TypeFacts {
  readonly id: string;
  readonly memoryMiB: number;
  readonly vcpus: number;
  /** USD a month in the stack's region; `null` where Linode names no price. */
  readonly monthly: number | null;
}

/** What the API offers, as far as the stack is concerned. */
export interface Catalogue {
  readonly region: { readonly id: string; readonly label: string; readonly placementLimit: number };
  readonly types: readonly TypeFacts[];
  /** USD a month for a NodeBalancer in the region; `null` where Linode names no price. */
  readonly balancerMonthly: number | null;
}

/** A Linode of the stack: it has both its tags and its label. */
export interface ObservedLinode {
  readonly id: number;
  readonly label: string;
  readonly tier: TierName;
  readonly number: number;
  readonly tags: readonly string[];
  readonly status: string;
  readonly type: string | null;
  readonly region: string;
  readonly image: string | null;
  readonly memoryMiB: number;
  readonly vcpus: number;
  readonly diskMiB: number;
  readonly placementGroup: number | null;
  readonly interfaces: readonly { readonly id: number; readonly kind: 'public' | 'vpc' }[];
  /** Address of its public interface; `null` for a Linode that has none (a 1:1 NAT is for its way out only). */
  readonly publicAddress: string | null;
  readonly privateAddress: string | null;
}

export interface ObservedFirewall {
  readonly id: number;
  readonly label: string;
  readonly enabled: boolean;
  readonly rules: RuleSet;
  /** Ids of the Linode Interfaces under it. */
  readonly interfaces: readonly number[];
  /** Ids of the NodeBalancers under it. */
  readonly balancers: readonly number[];
  /** Names of other things under it. */
  readonly others: readonly string[];
}

export interface ObservedSubnet {
  readonly id: number;
  readonly label: string;
  readonly ipv4: string;
  readonly linodes: readonly number[];
  /** Ids of the NodeBalancers in it. */
  readonly balancers: readonly number[];
  /** Databases in it. */
  readonly others: number;
}

export interface ObservedVpc {
  readonly id: number;
  readonly label: string;
  readonly region: string;
  readonly subnets: readonly ObservedSubnet[];
}

export interface ObservedPlacementGroup {
  readonly id: number;
  readonly label: string;
  readonly region: string;
  readonly members: readonly number[];
}

/** A NodeBalancer of the stack: it has both its tags and its label. */
export interface ObservedBalancer {
  readonly id: number;
  readonly label: string;
  readonly region: string;
  readonly tags: readonly string[];
  /** Its public address. */
  readonly ipv4: string;
  readonly ports: readonly ObservedBalancerPort[];
}

export interface ObservedBalancerPort {
  readonly port: number;
  readonly settings: Readonly<Record<keyof TcpPortSettings, string | number>>;
  readonly nodes: readonly ObservedBalancerNode[];
}

export interface ObservedBalancerNode {
  readonly label: string;
  /** `10.10.0.2:80` */
  readonly address: string;
  readonly mode: string;
}

/** Something with a name of the stack that is not the stack's: only its label fits, or only its tags do. */
export interface Stranger {
  readonly what: 'Linode' | 'firewall' | 'VPC' | 'NodeBalancer';
  readonly id: number;
  readonly label: string;
  readonly lacks: 'tags' | 'label';
}

/** What exists of a stack. Plain data: it can be printed and kept. */
export interface Resources {
  readonly linodes: readonly ObservedLinode[];
  readonly vpc: ObservedVpc | null;
  readonly firewalls: readonly ObservedFirewall[];
  readonly placementGroups: readonly ObservedPlacementGroup[];
  readonly balancers: readonly ObservedBalancer[];
  readonly strangers: readonly Stranger[];
}

/** The bucket of the backups, at Linode. */
export interface ObservedBucket {
  readonly label: string;
  /** USD a month for Object Storage, whatever the number of buckets; `null` where Linode names no price. */
  readonly monthly: number | null;
  /** `null`: the token may not look. */
  readonly place: {
    readonly region: string;
    /** Which kind of storage of its region, such as `E1`. */
    readonly endpointType: string;
    readonly exists: boolean;
  } | null;
}

/** Everything that a plan is made from, besides the stack file. */
export interface Observed extends Resources {
  /** `null`: the stack has no backups, or keeps them elsewhere. */
  readonly bucket: ObservedBucket | null;
  readonly catalogue: Catalogue;
}
