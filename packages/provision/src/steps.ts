import type { RuleSet, TcpPortSettings } from '@perlstack/linode';
import type { Step } from '@perlstack/procedure';

/*
 * Steps name things by label: ids are not known before they are made, and a step must mean the same in a later run.
 */

export interface CreateVpc extends Step {
  readonly kind: 'create-vpc';
  readonly label: string;
  readonly region: string;
  readonly subnets: readonly { readonly label: string; readonly ipv4: string }[];
}

export interface CreateSubnet extends Step {
  readonly kind: 'create-subnet';
  readonly vpc: string;
  readonly label: string;
  readonly ipv4: string;
}

export interface CreateFirewall extends Step {
  readonly kind: 'create-firewall';
  readonly label: string;
  readonly tags: readonly string[];
  readonly rules: RuleSet;
}

/** Puts the rules of a firewall back, and enables it. */
export interface RepairFirewall extends Step {
  readonly kind: 'repair-firewall';
  readonly label: string;
  readonly rules: RuleSet;
}

export interface CreatePlacementGroup extends Step {
  readonly kind: 'create-placement-group';
  readonly label: string;
  readonly region: string;
}

export interface CreateLinode extends Step {
  readonly kind: 'create-linode';
  readonly label: string;
  readonly hostname: string;
  readonly region: string;
  readonly type: string;
  readonly image: string;
  readonly tags: readonly string[];
  /** Whether it gets a public interface besides the one in the VPC. */
  readonly public: boolean;
  readonly vpc: string;
  readonly subnet: string;
  /** Its address in the VPC. */
  readonly address: string;
  readonly firewall: string;
  readonly placementGroup: string | null;
}

/** Waits until a Linode is at rest and runs; boots it when it is off. */
export interface StartLinode extends Step {
  readonly kind: 'start-linode';
  readonly label: string;
}

export interface AddTags extends Step {
  readonly kind: 'add-tags';
  readonly label: string;
  readonly tags: readonly string[];
}

export interface AttachFirewall extends Step {
  readonly kind: 'attach-firewall';
  readonly label: string;
  readonly interface: 'public' | 'vpc';
  readonly firewall: string;
}

export interface AssignPlacement extends Step {
  readonly kind: 'assign-placement';
  readonly label: string;
  readonly placementGroup: string;
}

/** Replaces the host key that came by user data with one that was made on the host. */
export interface RotateHostKey extends Step {
  readonly kind: 'rotate-host-key';
  readonly label: string;
  /** Label of the Linode through which SSH goes; `null` for a direct connection. */
  readonly via: string | null;
}

export interface DeleteLinode extends Step {
  readonly kind: 'delete-linode';
  readonly label: string;
  readonly linodeId: number;
}

export interface DeleteFirewall extends Step {
  readonly kind: 'delete-firewall';
  readonly label: string;
}

export interface DeletePlacementGroup extends Step {
  readonly kind: 'delete-placement-group';
  readonly label: string;
}

export interface DeleteSubnet extends Step {
  readonly kind: 'delete-subnet';
  readonly vpc: string;
  readonly label: string;
}

export interface DeleteVpc extends Step {
  readonly kind: 'delete-vpc';
  readonly label: string;
}

export interface CreateBalancer extends Step {
  readonly kind: 'create-balancer';
  readonly label: string;
  readonly region: string;
  readonly tags: readonly string[];
  readonly vpc: string;
  readonly subnet: string;
  /** Addresses of the subnet from which it speaks to its nodes. */
  readonly range: string;
  readonly firewall: string;
}

/** Adds tags that are missing, and puts it under its firewall. */
export interface RepairBalancer extends Step {
  readonly kind: 'repair-balancer';
  readonly label: string;
  readonly tags: readonly string[];
  readonly firewall: string;
}

/** Has a NodeBalancer listen on a port, or puts the settings of the port back. */
export interface SetBalancerPort extends Step {
  readonly kind: 'set-balancer-port';
  readonly balancer: string;
  readonly port: number;
  readonly settings: TcpPortSettings;
}

export interface DeleteBalancerPort extends Step {
  readonly kind: 'delete-balancer-port';
  readonly balancer: string;
  readonly port: number;
}

export interface AddBalancerNode extends Step {
  readonly kind: 'add-balancer-node';
  readonly balancer: string;
  readonly port: number;
  /** Name of the host. */
  readonly node: string;
  /** `10.10.0.2:80` */
  readonly address: string;
  readonly vpc: string;
  /** Of the NodeBalancer. */
  readonly subnet: string;
}

export interface RemoveBalancerNode extends Step {
  readonly kind: 'remove-balancer-node';
  readonly balancer: string;
  readonly port: number;
  readonly node: string;
  readonly address: string;
}

export interface DeleteBalancer extends Step {
  readonly kind: 'delete-balancer';
  readonly label: string;
  readonly balancerId: number;
}

/** A bucket for the backups. */
export interface CreateBucket extends Step {
  readonly kind: 'create-bucket';
  readonly label: string;
  readonly region: string;
  readonly endpointType: string;
}

export type ProvisionStep =
  | CreateVpc
  | CreateSubnet
  | CreateFirewall
  | RepairFirewall
  | CreatePlacementGroup
  | CreateLinode
  | StartLinode
  | AddTags
  | AttachFirewall
  | AssignPlacement
  | RotateHostKey
  | DeleteLinode
  | DeleteFirewall
  | DeletePlacementGroup
  | DeleteSubnet
  | DeleteVpc
  | CreateBalancer
  | RepairBalancer
  | SetBalancerPort
  | DeleteBalancerPort
  | AddBalancerNode
  | RemoveBalancerNode
  | DeleteBalancer
  | CreateBucket;

/** Id of the step of a kind that works on something: the same in every plan. */
export const stepId = (kind: ProvisionStep['kind'], label: string): string => `${label}/${kind}`;
