import type { HostSpec, InterfaceSpec } from '../driver.js';
import type { HostRecord } from './record.js';

/** A public interface for tests. */
export function publicLink(id: number, ipv4: string): InterfaceSpec {
  const network = { ipv4, prefix: 24, gateway: ipv4.replace(/\d+$/, '1') };
  return {
    id,
    kind: 'public',
    mac: 'f2:3c:00:00:00:01',
    ...network,
    defaultRoute: true,
    vpcId: null,
    subnetId: null,
    nat11: null,
  };
}

/** An interface in VPC 5 for tests. */
export function vpcLink(id: number, ipv4: string, nat11: string | null = null): InterfaceSpec {
  return { ...publicLink(id, ipv4), kind: 'vpc', defaultRoute: nat11 !== null, vpcId: 5, subnetId: 6, nat11 };
}

/** A host for tests. */
export function hostSpec(id: number, interfaces: readonly InterfaceSpec[]): HostSpec {
  return {
    id,
    label: `host-${id}`,
    image: 'linode/debian13',
    memoryMiB: 1024,
    vcpus: 1,
    region: 'se-sto',
    type: 'g6-nanode-1',
    userData: null,
    authorizedKeys: [],
    interfaces,
  };
}

/** What the driver knows of a host to which nothing has been done. */
export function hostRecord(id: number, interfaces: readonly InterfaceSpec[]): HostRecord {
  return {
    spec: hostSpec(id, interfaces),
    imageRoot: '/image',
    firewalls: {},
    cuts: [],
    frozen: false,
    lossPercent: 0,
  };
}
