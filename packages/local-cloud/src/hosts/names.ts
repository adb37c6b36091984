import { randomInt } from 'node:crypto';

/** Names of the network namespaces of one cloud; the cloud's id keeps several clouds on one machine apart. */
export interface Names {
  readonly internet: string;
  vpc(vpcId: number): string;
  host(hostId: number): string;
}

/** Common start of every name that a cloud puts into the machine's shared tables (namespaces, cgroups). */
export function prefixOf(cloudId: string): string {
  return `perlstack-${cloudId}`;
}

export function namesOf(cloudId: string): Names {
  const prefix = prefixOf(cloudId);
  return {
    internet: `${prefix}-internet`,
    vpc: (vpcId) => `${prefix}-vpc-${vpcId}`,
    host: (hostId) => `${prefix}-host-${hostId}`,
  };
}

const LONGEST_INTERFACE_NAME = 15;

/** Name of the router's end of a host's link, inside the router's namespace. */
export function portName(interfaceId: number): string {
  const name = `port${interfaceId.toString(36)}`;
  if (name.length > LONGEST_INTERFACE_NAME)
    throw new Error(`interface id ${interfaceId} is too long for a port name`);
  return name;
}

/** Name of the internet's end of the link to a VPC's router. */
export function uplinkName(vpcId: number): string {
  return `vpc${vpcId.toString(36)}`.slice(0, LONGEST_INTERFACE_NAME);
}

const ALPHABET = 'abcdefghijklmnopqrstuvwxyz0123456789';

/** A new cloud's id: six letters and digits. */
export function newCloudId(): string {
  return Array.from({ length: 6 }, () => ALPHABET[randomInt(ALPHABET.length)]).join('');
}

/** Whether a text may be a cloud's id: it becomes part of paths and names. */
export function isCloudId(text: string): boolean {
  return /^[a-z0-9]{1,16}$/.test(text);
}
