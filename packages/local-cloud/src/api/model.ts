import type { StorageEndpoint } from './data/endpoints.js';
import type { JsonObject } from './json.js';

/** The records that the cloud keeps. What the API shows of them is made by the `...View` functions. */

export type Status =
  | 'provisioning'
  | 'booting'
  | 'running'
  | 'shutting_down'
  | 'offline'
  | 'rebooting'
  | 'rebuilding'
  | 'resizing';

export type Generation = 'legacy_config' | 'linode';

export interface Linode {
  readonly id: number;
  label: string;
  group: string;
  status: Status;
  readonly created: number;
  updated: number;
  type: string;
  readonly region: string;
  image: string | null;
  tags: string[];
  alerts: Record<string, number>;
  backupsEnabled: boolean;
  watchdog: boolean;
  readonly hostUuid: string;
  /** Base64 as it was given. */
  userData: string | null;
  authorizedKeys: readonly string[];
  placementGroup: number | null;
  readonly diskEncryption: 'enabled' | 'disabled';
  generation: Generation;
  maintenancePolicy: string;
  /** The SLAAC address, or `null` where no interface has one. */
  readonly slaac: string;
  readonly disks: Disk[];
  readonly configs: Config[];
  readonly interfaces: LinodeInterface[];
  networkHelper: boolean;
  lastConfig: number | null;
  /** Whether the driver has made its host, and from which specification (as text). */
  hostMade: string | null;
  everBooted: boolean;
  readonly firstInterface: number;
}

export interface Disk {
  readonly id: number;
  label: string;
  status: 'not ready' | 'ready';
  readonly created: number;
  updated: number;
  readonly filesystem: string;
  /** MB. */
  size: number;
  /** It is listed once its creation began in earnest. */
  listed: boolean;
}

export interface Config {
  readonly id: number;
  label: string;
  comments: string;
  kernel: string;
  memoryLimit: number;
  readonly created: number;
  updated: number;
  rootDevice: string;
  devices: Record<string, JsonObject | null>;
  helpers: Record<string, boolean>;
  initrd: number | null;
  runLevel: string;
  virtMode: string;
  interfaces: ConfigInterface[];
}

export type Purpose = 'public' | 'vlan' | 'vpc';

/** An interface of the older generation, which belongs to a configuration profile. */
export interface ConfigInterface {
  readonly id: number;
  readonly purpose: Purpose;
  primary: boolean;
  readonly label: string | null;
  readonly ipamAddress: string | null;
  readonly subnet: number | null;
  ipv4: string | null;
  nat11: string | null;
  ranges: string[];
  ipv6: VpcIpv6 | null;
}

export interface VpcIpv6 {
  readonly slaac: readonly { readonly range: string; readonly address: string }[];
  readonly ranges: readonly { readonly range: string }[];
  readonly isPublic: boolean;
}

/** An interface of the newer generation, which belongs to the Linode itself. */
export interface LinodeInterface {
  readonly id: number;
  readonly mac: string;
  readonly created: number;
  updated: number;
  version: number;
  defaultRoute: { ipv4: boolean; ipv6: boolean };
  public: PublicInterface | null;
  vpc: VpcInterface | null;
  vlan: { readonly label: string; readonly ipamAddress: string | null } | null;
}

export interface PublicInterface {
  addresses: { address: string; primary: boolean }[];
  ranges: string[];
}

export interface VpcInterface {
  readonly subnet: number;
  addresses: { address: string; primary: boolean; nat11: string | null }[];
  ranges: string[];
  ipv6: VpcIpv6;
}

/** An IPv4 address outside VPCs. */
export interface Address {
  readonly address: string;
  readonly region: string;
  readonly public: boolean;
  linode: number | null;
  nodebalancer: number | null;
  reserved: boolean;
  /** Set by the user; assigned addresses have a name of the provider's otherwise. */
  rdns: string | null;
  tags: string[];
}

export interface Ipv6Range {
  /** Without prefix. */
  readonly range: string;
  readonly prefix: number;
  readonly region: string;
  linode: number | null;
  readonly routeTarget: string;
}

export interface Vpc {
  readonly id: number;
  label: string;
  description: string;
  readonly region: string;
  readonly type: 'regular' | 'rdma';
  ipv4: string[];
  readonly ipv6: readonly string[] | null;
  readonly subnets: Subnet[];
  readonly created: number;
  updated: number;
}

export interface Subnet {
  readonly id: number;
  label: string;
  readonly ipv4: string;
  readonly ipv6: readonly string[] | null;
  readonly created: number;
  updated: number;
}

export interface Firewall {
  readonly id: number;
  label: string;
  status: 'enabled' | 'disabled';
  tags: string[];
  rules: RuleSet;
  version: number;
  readonly history: { readonly version: number; readonly updated: number; readonly rules: RuleSet }[];
  readonly devices: Device[];
  readonly created: number;
  updated: number;
}

export interface RuleSet {
  inbound: readonly JsonObject[] | null;
  inboundPolicy: 'ACCEPT' | 'DROP';
  outbound: readonly JsonObject[] | null;
  outboundPolicy: 'ACCEPT' | 'DROP';
}

export type DeviceType = 'linode' | 'linode_interface' | 'nodebalancer';

export interface Device {
  readonly id: number;
  readonly type: DeviceType;
  readonly entity: number;
  readonly created: number;
}

export interface PlacementGroup {
  readonly id: number;
  label: string;
  readonly region: string;
  readonly type: string;
  readonly policy: 'strict' | 'flexible';
}

export interface NodeBalancer {
  readonly id: number;
  label: string;
  readonly region: string;
  readonly type: string;
  readonly ipv4: string;
  readonly ipv6: string;
  clientConnThrottle: number;
  clientUdpSessThrottle: number;
  tags: string[];
  readonly vpcs: { readonly id: number; readonly subnet: number; readonly ipv4Range: string }[];
  readonly configs: NodeBalancerConfig[];
  readonly created: number;
  updated: number;
}

export interface NodeBalancerConfig {
  readonly id: number;
  settings: NodeBalancerSettings;
  nodes: NodeBalancerNode[];
}

export interface NodeBalancerSettings {
  port: number;
  protocol: string;
  algorithm: string;
  stickiness: string;
  check: string;
  checkInterval: number;
  checkTimeout: number;
  checkAttempts: number;
  checkPath: string;
  checkBody: string;
  checkPassive: boolean;
  proxyProtocol: string;
  cipherSuite: string;
  udpCheckPort: number;
  sslCommonName: string;
  sslFingerprint: string;
}

export interface NodeBalancerNode {
  readonly id: number;
  address: string;
  label: string;
  weight: number;
  mode: string;
  vpcConfig: number | null;
  /** What the checks said last. */
  status: 'Unknown' | 'UP' | 'DOWN';
}

export interface Volume {
  readonly id: number;
  label: string;
  readonly region: string;
  /** GB. */
  size: number;
  tags: string[];
  readonly encryption: 'enabled' | 'disabled';
  linode: number | null;
  readonly created: number;
  updated: number;
  /** Its status until `readyAt` (milliseconds since the epoch). */
  pending: 'creating' | 'resizing';
  readyAt: number;
}

/** A bucket as the API knows it, which is told of what is in it but never sees it. */
export interface Bucket {
  readonly label: string;
  readonly endpoint: OpenEndpoint;
  acl: Acl;
  corsEnabled: boolean;
  objects: number;
  /** Bytes. */
  size: number;
  readonly created: number;
}

/** One that the account has a host for. */
export type OpenEndpoint = StorageEndpoint & { readonly s3_endpoint: string };

export type CannedAcl = 'private' | 'public-read' | 'authenticated-read' | 'public-read-write';

/** `custom` is what was set by S3 and is none of the others. */
export type Acl = CannedAcl | 'custom';

/** An access key of Object Storage, without its secret, which is nowhere kept. */
export interface StorageKey {
  readonly id: number;
  label: string;
  readonly accessKey: string;
  /** What a limited key is good for; `null` for one that is not limited. */
  readonly access: readonly BucketAccess[] | null;
  regions: readonly string[];
}

export interface BucketAccess {
  readonly bucket: Bucket;
  readonly permissions: 'read_write' | 'read_only';
}

export interface EntityRef {
  readonly id: number | string;
  readonly type: string;
  readonly label: string;
  readonly url: string;
}

export type EventStatus = 'scheduled' | 'started' | 'finished' | 'failed' | 'notification';

export interface EventRecord {
  readonly id: number;
  readonly created: number;
  readonly action: string;
  readonly entity: EntityRef | null;
  readonly secondary: EntityRef | null;
  status: EventStatus;
  startedAt: number | null;
  finishedAt: number | null;
  /** Scaled milliseconds that the work is expected to take. */
  readonly expectedMs: number;
  message: string;
  seen: boolean;
  read: boolean;
}

export interface SshKey {
  readonly id: number;
  label: string;
  readonly key: string;
  readonly created: number;
}
