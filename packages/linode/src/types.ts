import type { CreateLinodeRequest, FirewallRuleType, FirewallRules } from '@linode/api-v4';

export type {
  CreateSubnetPayload,
  CreateVPCPayload,
  Event,
  Filter,
  Firewall,
  FirewallRuleType,
  FirewallRules,
  Image,
  Linode,
  LinodeInterface,
  LinodeType,
  NodeBalancer,
  ObjectStorageBucket,
  ObjectStorageEndpoint,
  PlacementGroup,
  PriceType,
  Profile,
  Region,
  RegionAvailability,
  Subnet,
  VPC,
} from '@linode/api-v4';

/** A Linode Interface to be made: either public or in a VPC. `firewall_id: null` means no firewall at all. */
export interface NewInterface {
  readonly firewall_id: number | null;
  readonly default_route?: { readonly ipv4?: boolean; readonly ipv6?: boolean };
  readonly public?: {
    readonly ipv4?: {
      readonly addresses: readonly { readonly address: string; readonly primary?: boolean }[];
    };
    readonly ipv6?: { readonly ranges?: readonly { readonly range: string }[] };
  };
  readonly vpc?: {
    readonly subnet_id: number;
    readonly ipv4: {
      readonly addresses: readonly {
        readonly address: string;
        readonly primary?: boolean;
        readonly nat_1_1_address?: string | null;
      }[];
    };
  };
}

/** A Linode to be made. The type of @linode/api-v4, less what its validation demands and more exact interfaces. */
export type NewLinode = Pick<
  CreateLinodeRequest,
  | 'authorized_keys'
  | 'authorized_users'
  | 'booted'
  | 'image'
  | 'region'
  | 'root_pass'
  | 'swap_size'
  | 'tags'
  | 'type'
> & {
  readonly label: string;
  readonly interface_generation: 'linode';
  readonly interfaces: readonly NewInterface[];
  readonly placement_group?: { readonly id: number };
  /** `user_data` is base64 of at most 65,535 bytes. */
  readonly metadata?: { readonly user_data: string };
};

export interface NewPlacementGroup {
  readonly label: string;
  readonly region: string;
  readonly placement_group_type: 'anti_affinity:local';
  readonly placement_group_policy: 'strict' | 'flexible';
}

/** Rules of a firewall as they are written: without version and fingerprint. */
export type RuleSet = Pick<FirewallRules, 'inbound_policy' | 'outbound_policy'> & {
  readonly inbound: readonly FirewallRuleType[];
  readonly outbound: readonly FirewallRuleType[];
};

/** A bucket to be made. Its label may be taken by a stranger's: all of an endpoint's buckets share one set of names. */
export interface NewBucket {
  readonly label: string;
  readonly region: string;
  readonly endpoint_type: string;
  readonly acl: 'private';
  readonly cors_enabled: false;
}

export interface NewFirewall {
  readonly label: string;
  readonly rules: RuleSet;
  readonly tags?: readonly string[];
}

/** A NodeBalancer to be made; its backends are in a VPC, of which it takes a range for itself. */
export interface NewNodeBalancer {
  readonly label: string;
  readonly region: string;
  readonly tags: readonly string[];
  readonly vpcs: readonly { readonly subnet_id: number; readonly ipv4_range: string }[];
  /** `-1` for none, not even the account's usual one. */
  readonly firewall_id: number;
}

/** What a NodeBalancer's port is told to do with TCP connections. */
export interface TcpPortSettings {
  readonly protocol: 'tcp';
  readonly algorithm: 'roundrobin' | 'leastconn' | 'source';
  readonly proxy_protocol: 'none' | 'v1' | 'v2';
  readonly check: 'none' | 'connection';
  /** Seconds; more than `check_timeout`. */
  readonly check_interval: number;
  readonly check_timeout: number;
  readonly check_attempts: number;
}

/** The configuration of a NodeBalancer's port, as far as it is used here: its `protocol` may be any. */
export type NodeBalancerPort = {
  readonly [K in keyof TcpPortSettings]: TcpPortSettings[K] extends number ? number : string;
} & {
  readonly id: number;
  readonly port: number;
  readonly nodes_status: { readonly up: number; readonly down: number };
};

/** A node to be made. The subnet is that of the NodeBalancer, whichever one of its VPC the node is in. */
export interface NewBalancerNode {
  /** `10.10.0.2:80` */
  readonly address: string;
  readonly label: string;
  readonly mode: 'accept';
  readonly subnet_id: number;
}

export interface BalancerNode {
  readonly id: number;
  readonly address: string;
  readonly label: string;
  /** `UP`, `DOWN`; anything else before the first check. */
  readonly status: string;
  readonly mode: string;
  readonly weight: number;
}
