import type { InterfaceSpec } from '../driver.js';
import { type Names, portName, uplinkName } from './names.js';
import { type RouterId, type Station, routerOf } from './record.js';
import { METADATA_ADDRESS, UPLINK } from './rules.js';

/** Where the runner and the load generator are: an address on the internet outside the cloud's own ranges. */
export const CLIENT_ADDRESS = '192.0.2.1';
/** All of it is local to the internet's namespace: a load generator may bind any of its addresses. */
const CLIENT_NETWORK = '192.0.2.0/24';

// A bridge without ports and without ARP: what is routed there is lost without an answer, as with a machine that is off.
const VOID = 'void';

/**
 * Settings of a router. Every host has a link of its own to it and the router answers ARP for all other addresses
 * (proxy ARP), so that each packet is routed and passes the rules that belong to that link.
 */
export const ROUTER_SETTINGS = [
  'net.ipv4.ip_forward=1',
  'net.ipv4.conf.all.proxy_arp=1',
  'net.ipv4.conf.default.proxy_arp=1',
  'net.ipv4.conf.all.send_redirects=0',
  'net.ipv4.conf.default.send_redirects=0',
  'net.ipv4.conf.default.rp_filter=1',
  // A load test opens thousands of connections: two minutes for each closed one would fill the table.
  'net.netfilter.nf_conntrack_tcp_timeout_time_wait=10',
];

/** Settings inside a host's namespace that a container can't make itself: anyone may ping. */
export const HOST_SETTINGS = ['net.ipv4.ping_group_range=0 2147483647'];

/** A command line for `ip`, without the `ip`. */
export type IpCommand = readonly string[];

function ip(line: string): IpCommand {
  return line.split(' ');
}

// By default an answer by proxy is held back for up to 0.8 s.
function answerArpAtOnce(router: string, port: string): IpCommand[] {
  return [ip(`-n ${router} ntable change name arp_cache dev ${port} proxy_delay 0`)];
}

function common(namespace: string): IpCommand[] {
  return [
    ip(`-n ${namespace} link set lo up`),
    ip(`-n ${namespace} address add ${METADATA_ADDRESS}/32 dev lo`),
    ip(`-n ${namespace} link add ${VOID} type bridge`),
    ip(`-n ${namespace} link set ${VOID} arp off up`),
  ];
}

/** Sets up the namespace that stands for the internet. */
export function internetCommands(names: Names): IpCommand[] {
  return [
    ...common(names.internet),
    ip(`-n ${names.internet} address add ${CLIENT_ADDRESS}/32 dev lo`),
    ip(`-n ${names.internet} route add local ${CLIENT_NETWORK} dev lo src ${CLIENT_ADDRESS}`),
  ];
}

/** Sets up the router of a VPC and its link to the internet. */
export function vpcCommands(names: Names, vpcId: number): IpCommand[] {
  const vpc = names.vpc(vpcId);
  const port = uplinkName(vpcId);
  return [
    ...common(vpc),
    ip(`-n ${vpc} link add ${UPLINK} type veth peer name ${port} netns ${names.internet}`),
    ip(`-n ${vpc} link set ${UPLINK} up`),
    ...answerArpAtOnce(names.internet, port),
    ip(`-n ${names.internet} link set ${port} up`),
    ip(`-n ${vpc} route add default dev ${UPLINK}`),
  ];
}

export function namespaceOf(names: Names, router: RouterId): string {
  return router === 'internet' ? names.internet : names.vpc(router.vpcId);
}

/** The network that an interface is in: `203.0.113.0/24`. */
export function networkOf(link: Pick<InterfaceSpec, 'ipv4' | 'prefix'>): string {
  const bits = link.ipv4.split('.').reduce((sum, octet) => sum * 256 + Number(octet), 0);
  const size = 2 ** (32 - link.prefix);
  const first = Math.floor(bits / size) * size;
  return `${[24, 16, 8, 0].map((shift) => Math.floor(first / 2 ** shift) % 256).join('.')}/${link.prefix}`;
}

/** What the router must know before the first host of a network comes; harmless when repeated. */
function networkCommands(names: Names, link: InterfaceSpec): IpCommand[] {
  const router = namespaceOf(names, routerOf(link));
  return [
    ip(`-n ${router} address replace ${link.gateway}/32 dev lo`),
    ip(`-n ${router} route replace ${networkOf(link)} dev ${VOID} src ${sourceOf(link)}`),
  ];
}

function sourceOf(link: InterfaceSpec): string {
  return link.kind === 'public' ? CLIENT_ADDRESS : link.gateway;
}

function linkCommands(names: Names, host: string, link: InterfaceSpec, device: string): IpCommand[] {
  const router = namespaceOf(names, routerOf(link));
  const port = portName(link.id);
  return [
    ...networkCommands(names, link),
    ip(`-n ${host} link add ${device} address ${link.mac} type veth peer name ${port} netns ${router}`),
    ip(`-n ${host} address add ${link.ipv4}/${link.prefix} dev ${device}`),
    ip(`-n ${host} link set ${device} up`),
    ...answerArpAtOnce(router, port),
    ip(`-n ${router} link set ${port} up`),
    ip(`-n ${router} route replace ${link.ipv4}/32 dev ${port} src ${sourceOf(link)}`),
    ...natCommands(names, link),
    ...(link.defaultRoute ? [ip(`-n ${host} route add default via ${link.gateway} dev ${device}`)] : []),
    ...privateRoutes(host, link, device),
  ];
}

/** The way from the internet to a public address that a VPC's router translates. */
function natCommands(names: Names, link: InterfaceSpec): IpCommand[] {
  if (link.nat11 === null || link.vpcId === null) return [];
  const port = uplinkName(link.vpcId);
  return [
    ip(`-n ${names.vpc(link.vpcId)} address replace ${link.nat11}/32 dev lo`),
    ip(`-n ${names.internet} route replace ${link.nat11}/32 dev ${port} src ${CLIENT_ADDRESS}`),
  ];
}

const PRIVATE_NETWORKS = ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16'];

/** Other subnets of the VPC are reached through its gateway, wherever the default route goes. */
function privateRoutes(host: string, link: InterfaceSpec, device: string): IpCommand[] {
  if (link.kind !== 'vpc' || link.defaultRoute) return [];
  return PRIVATE_NETWORKS.map((network) =>
    ip(`-n ${host} route replace ${network} via ${link.gateway} dev ${device}`),
  );
}

/** The interface through which a host reaches the metadata service. */
export function metadataLink(spec: Station['spec']): InterfaceSpec | undefined {
  return spec.interfaces.find((link) => link.defaultRoute) ?? spec.interfaces[0];
}

/** Connects a host: its namespace exists and is empty, and so do the routers'. Interfaces are eth0, eth1, … in order. */
export function hostCommands(names: Names, spec: Station['spec']): IpCommand[] {
  const host = names.host(spec.id);
  const metadata = metadataLink(spec);
  return [
    ip(`-n ${host} link set lo up`),
    ...spec.interfaces.flatMap((link, index) => linkCommands(names, host, link, `eth${index}`)),
    ...(metadata === undefined
      ? []
      : [ip(`-n ${host} route add ${METADATA_ADDRESS}/32 via ${metadata.gateway}`)]),
  ];
}

/** Takes a host off the network at once, as when its machine loses power: its peers get no answer, not even a reset. */
export function unplugCommands(names: Names, spec: Station['spec']): IpCommand[] {
  return spec.interfaces.map((link) =>
    ip(`-n ${namespaceOf(names, routerOf(link))} link delete ${portName(link.id)}`),
  );
}

/** Gives back what a host that is gone for good had of the routers: the way to its translated addresses. */
export function releaseCommands(names: Names, spec: Station['spec']): IpCommand[] {
  return spec.interfaces.flatMap((link) =>
    link.nat11 === null || link.vpcId === null
      ? []
      : [
          ip(`-n ${names.internet} route delete ${link.nat11}/32`),
          ip(`-n ${names.vpc(link.vpcId)} address delete ${link.nat11}/32 dev lo`),
        ],
  );
}

/** Further addresses in a VPC, and the way to them: a NodeBalancer speaks from a small range. */
export function sourceCommands(names: Names, spec: Station['spec'], sources: readonly string[]): IpCommand[] {
  const device = `eth${spec.interfaces.findIndex(({ kind }) => kind === 'vpc')}`;
  return furtherSources(spec, sources).flatMap(({ link, address }) => [
    ip(`-n ${names.host(spec.id)} address add ${address}/${link.prefix} dev ${device}`),
    ip(
      `-n ${namespaceOf(names, routerOf(link))} route replace ${address}/32 dev ${portName(link.id)} src ${link.gateway}`,
    ),
  ]);
}

function furtherSources(
  { interfaces }: Station['spec'],
  sources: readonly string[],
): { link: InterfaceSpec; address: string }[] {
  const link = interfaces.find(({ kind }) => kind === 'vpc');
  if (link === undefined) return [];
  return sources.filter((address) => address !== link.ipv4).map((address) => ({ link, address }));
}
