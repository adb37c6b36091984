import type { FirewallSpec, HostSpec, InterfaceSpec } from '../driver.js';

/** `out`: what the host sends is lost; `in`: what is sent to it. */
export type Direction = 'in' | 'out' | 'both';

/** A link that drops what it should carry. */
export interface Cut {
  readonly direction: Direction;
  /** Only traffic with these addresses is lost; `null` for all. */
  readonly peers: readonly string[] | null;
}

/** What hangs on routers by links of its own: a host or a NodeBalancer. */
export interface Station {
  readonly spec: Pick<HostSpec, 'id' | 'interfaces'>;
  /** By interface id. */
  readonly firewalls: Readonly<Record<number, FirewallSpec>>;
  readonly cuts: readonly Cut[];
  /** Whether the whole machine stands still. */
  readonly frozen: boolean;
  /** Share of packets lost each way, 0 to 100. */
  readonly lossPercent: number;
}

/** What the driver knows of a host beside its processes; kept on disk, so that a later process can go on with it. */
export interface HostRecord extends Station {
  readonly spec: HostSpec;
  readonly imageRoot: string;
}

/** The same of a NodeBalancer. */
export interface BalancerRecord extends Station {
  /** Its addresses in the VPC. */
  readonly sources: readonly string[];
  /** Of its configuration. */
  readonly generation: number;
}

/** Which router an interface hangs on. */
export type RouterId = 'internet' | { readonly vpcId: number };

export function routerOf(link: InterfaceSpec): RouterId {
  if (link.kind === 'public') return 'internet';
  if (link.vpcId === null) throw new Error(`interface ${link.id} is a VPC interface without a VPC`);
  return { vpcId: link.vpcId };
}

/** All interfaces that hang on one router, each with its host or NodeBalancer. */
export function portsOf(
  stations: readonly Station[],
  router: RouterId,
): { link: InterfaceSpec; host: Station }[] {
  return stations.flatMap((host) =>
    host.spec.interfaces
      .filter((link) =>
        router === 'internet' ? link.kind === 'public' : link.vpcId === router.vpcId && link.kind === 'vpc',
      )
      .map((link) => ({ link, host })),
  );
}

/** All addresses under which a host can be reached. */
export function addressesOf(spec: HostSpec): string[] {
  return spec.interfaces.flatMap((link) => (link.nat11 === null ? [link.ipv4] : [link.ipv4, link.nat11]));
}
