/** What the simulated API asks of whatever stands for the machines: nothing at all (memory), or real hosts. */
export interface HostDriver {
  /** Makes the disk of a new host; it is off until `boot`. */
  create(spec: HostSpec): Promise<void>;
  /** Powers it on; resolves when its init has taken over (not when SSH answers). */
  boot(id: number): Promise<void>;
  /** Powers it off in order (ACPI shutdown). */
  shutdown(id: number): Promise<void>;
  reboot(id: number): Promise<void>;
  /** Removes the host and its disk, running or not. */
  destroy(id: number): Promise<void>;
  /** Replaces the rules on one of its interfaces, from outside the host. */
  setFirewall(id: number, interfaceId: number, firewall: FirewallSpec | null): Promise<void>;
  /** Has a NodeBalancer serve as described, in place of how it did before; `null` removes it. */
  setBalancer(id: number, balancer: BalancerSpec | null): Promise<void>;
  /** What a NodeBalancer's checks say of its nodes, by node id; what was not checked yet is left out. */
  balancerNodes(id: number): Promise<ReadonlyMap<number, NodeHealth>>;
  /** Removes everything the driver made. */
  close(): Promise<void>;
}

export interface HostSpec {
  /** Linode id. */
  readonly id: number;
  readonly label: string;
  /** `linode/debian13`, `linode/debian12`. */
  readonly image: string;
  readonly memoryMiB: number;
  readonly vcpus: number;
  readonly region: string;
  readonly type: string;
  /** Decoded user data (a cloud-config), or `null`. */
  readonly userData: string | null;
  /** Public keys in OpenSSH form for root. */
  readonly authorizedKeys: readonly string[];
  readonly interfaces: readonly InterfaceSpec[];
}

export interface InterfaceSpec {
  readonly id: number;
  readonly kind: 'public' | 'vpc';
  readonly mac: string;
  readonly ipv4: string;
  /** Length of the network's prefix: 24. */
  readonly prefix: number;
  readonly gateway: string;
  /** Whether the host's default route goes through it. */
  readonly defaultRoute: boolean;
  /** VPC interfaces with the same VPC id share a network; subnets of it are routed to each other. */
  readonly vpcId: number | null;
  readonly subnetId: number | null;
  /** Public address that is translated one to one to this VPC address, or `null`. */
  readonly nat11: string | null;
}

/** Rules of a Cloud Firewall as the API holds them. */
export interface FirewallSpec {
  readonly inboundPolicy: 'ACCEPT' | 'DROP';
  readonly outboundPolicy: 'ACCEPT' | 'DROP';
  readonly inbound: readonly FirewallRule[];
  readonly outbound: readonly FirewallRule[];
}

export interface FirewallRule {
  readonly action: 'ACCEPT' | 'DROP';
  readonly protocol: 'TCP' | 'UDP' | 'ICMP' | 'IPENCAP';
  /** `22`, `80,443`, `8000-8100`; `null` for all. */
  readonly ports: string | null;
  /** CIDRs. */
  readonly ipv4: readonly string[];
}

export type NodeHealth = 'UP' | 'DOWN';

/** A NodeBalancer as the API holds it. */
export interface BalancerSpec {
  readonly id: number;
  readonly label: string;
  /** The public one, and one in the VPC of its backends where it has any. */
  readonly interfaces: readonly InterfaceSpec[];
  /** The addresses in the VPC from which it speaks to its nodes; none for one without a VPC. */
  readonly sources: readonly string[];
  readonly firewall: FirewallSpec | null;
  /** New connections a second from one client address; 0 for any number. */
  readonly throttle: number;
  readonly ports: readonly BalancerPort[];
}

/** One port on which a NodeBalancer listens. */
export interface BalancerPort {
  /** Id of its configuration. */
  readonly id: number;
  readonly port: number;
  readonly protocol: 'tcp' | 'http';
  readonly algorithm: 'roundrobin' | 'leastconn' | 'source';
  readonly stickiness: 'none' | 'table' | 'http_cookie';
  readonly proxyProtocol: 'none' | 'v1' | 'v2';
  readonly check: BalancerCheck;
  readonly nodes: readonly BalancerNode[];
}

export interface BalancerCheck {
  readonly kind: 'none' | 'connection' | 'http' | 'http_body';
  readonly intervalSeconds: number;
  readonly timeoutSeconds: number;
  /** Failures in a row after which a node is down. */
  readonly attempts: number;
  readonly path: string;
  /** Regular expression that the body must match. */
  readonly body: string;
  /** Whether a node's answers of status 5xx count as failures. */
  readonly passive: boolean;
}

export interface BalancerNode {
  readonly id: number;
  readonly address: string;
  readonly port: number;
  readonly weight: number;
  /** `drain`: no new connections; `reject`: as good as not there; `backup`: when no other is up. */
  readonly mode: 'accept' | 'reject' | 'drain' | 'backup';
}
