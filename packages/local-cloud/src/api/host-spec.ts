import type { HostSpec, InterfaceSpec } from '../driver.js';
import { digest, found, type Cloud } from './cloud.js';
import type { Config, ConfigInterface, Linode, LinodeInterface } from './model.js';
import { gatewayOf, networkOf } from './networks.js';

/** What the driver is to make of a Linode; only for one with an image. */
export function hostSpec(cloud: Cloud, linode: Linode): HostSpec {
  const plan = cloud.plan(linode.type);
  return {
    id: linode.id,
    label: linode.label,
    image: linode.image ?? '',
    memoryMiB: plan.memory,
    vcpus: plan.vcpus,
    region: linode.region,
    type: linode.type,
    userData: linode.userData === null ? null : Buffer.from(linode.userData, 'base64').toString('utf8'),
    authorizedKeys: linode.authorizedKeys,
    interfaces: hostInterfaces(cloud, linode),
  };
}

/** The interfaces of a host in either generation, VLANs left out. */
export function hostInterfaces(cloud: Cloud, linode: Linode): InterfaceSpec[] {
  if (linode.generation === 'linode')
    return linode.interfaces.flatMap((one) => newerInterface(cloud, one) ?? []);
  return olderInterfaces(cloud, linode);
}

export function macOf(id: number): string {
  const digits = digest(`mac ${id}`, 8).match(/../g) ?? [];
  return ['90', 'de', ...digits].join(':');
}

function newerInterface(cloud: Cloud, one: LinodeInterface): InterfaceSpec | null {
  const common = { id: one.id, mac: one.mac, defaultRoute: one.defaultRoute.ipv4 };
  if (one.public !== null) {
    const [first] = one.public.addresses;
    return first === undefined ? null : { ...common, ...publicPart(first.address) };
  }
  if (one.vpc === null) return null;
  const primary = one.vpc.addresses.find((address) => address.primary) ?? one.vpc.addresses[0];
  if (primary === undefined) return null;
  return { ...common, ...vpcPart(cloud, one.vpc.subnet, primary.address, primary.nat11) };
}

function olderInterfaces(cloud: Cloud, linode: Linode): InterfaceSpec[] {
  const config = configToBoot(linode);
  const address = [...cloud.addresses.values()].find(
    (one) => one.linode === linode.id && one.public,
  )?.address;
  if (config === undefined || config.interfaces.length === 0) {
    if (address === undefined) return [];
    const id = linode.firstInterface;
    return [{ id, mac: macOf(id), defaultRoute: true, ...publicPart(address) }];
  }
  const primary = config.interfaces.find((one) => one.primary) ?? config.interfaces[0];
  return config.interfaces.flatMap((one) => olderInterface(cloud, one, address, one === primary) ?? []);
}

function olderInterface(
  cloud: Cloud,
  one: ConfigInterface,
  address: string | undefined,
  defaultRoute: boolean,
): InterfaceSpec | null {
  const common = { id: one.id, mac: macOf(one.id), defaultRoute };
  if (one.purpose === 'public') return address === undefined ? null : { ...common, ...publicPart(address) };
  if (one.subnet === null || one.ipv4 === null) return null;
  return { ...common, ...vpcPart(cloud, one.subnet, one.ipv4, one.nat11) };
}

/** The configuration profile that a boot without one takes: the only one, or the last that was booted. */
export function configToBoot(linode: Linode): Config | undefined {
  if (linode.configs.length === 1) return linode.configs[0];
  return linode.configs.find((config) => config.id === linode.lastConfig);
}

export type Part = Omit<InterfaceSpec, 'id' | 'mac' | 'defaultRoute'>;

export function publicPart(address: string): Part {
  const gateway = gatewayOf(networkOf(`${address}/24`));
  return { kind: 'public', ipv4: address, prefix: 24, gateway, vpcId: null, subnetId: null, nat11: null };
}

export function vpcPart(cloud: Cloud, subnetId: number, ipv4: string, nat11: string | null): Part {
  const { vpc, subnet } = found(cloud.subnet(subnetId));
  const network = networkOf(subnet.ipv4);
  const gateway = gatewayOf(network);
  return { kind: 'vpc', ipv4, prefix: network.prefix, gateway, vpcId: vpc.id, subnetId, nat11 };
}
