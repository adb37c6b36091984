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
