import { grants, type LinodeReader } from '@perlstack/linode';
import ipaddr from 'ipaddr.js';
import {
  isProvisioned,
  jumpTier,
  placeOf,
  settingsOf,
  type StackFile,
  subnetOf,
  TIERS,
  UserError,
} from '@perlstack/stack';
import { fault } from './catalogue.js';
import { desiredEntry, ENTRY_SUBNET } from './entry.js';
import { layout } from './layout.js';
import { vpcDescription } from './names.js';
import type { Resources, Stranger } from './observed.js';

/**
 * What can be told from the stack file alone: tiers that contradict themselves, a network that Linode has no place for,
 * hosts that nobody could reach.
 */
export function checkFile(file: StackFile): void {
  checkTiers(file);
  checkEntry(file);
  checkNetwork(file);
}

function checkTiers(file: StackFile): void {
  const { stack } = file;
  for (const tier of TIERS) {
    const settings = settingsOf(stack, tier);
    if (settings?.hosts && settings.type) {
      throw fault(
        file,
        ['tiers', tier, 'type'],
        'the tier names servers that exist (hosts), which have no type; leave one of the two out',
      );
    }
    if (settings?.on && settings.hosts) {
      throw fault(
        file,
        ['tiers', tier, 'hosts'],
        'the role runs on the hosts of another tier (on); leave one of the two out',
      );
    }
    if (settings?.on && placeOf(stack, tier) === null) {
      throw fault(
        file,
        ['tiers', tier, 'on'],
        `the stack has no hosts for it: "${settings.on}" is no tier with hosts of its own`,
      );
    }
  }
}

function checkEntry(file: StackFile): void {
  const { entry, hosts } = file.stack.tiers.web;
  if (entry !== 'nodebalancer' || !hosts) return;
  throw fault(
    file,
    ['tiers', 'web', 'entry'],
    'a NodeBalancer reaches its hosts by the VPC, and the tier names servers that exist (hosts): use entry: dns, or leave hosts out',
  );
}

/** What Linode keeps for itself. */
const RESERVED = '192.168.128.0/17';

function checkNetwork(file: StackFile): void {
  const { stack } = file;
  if (overlap(stack.network.vpc, RESERVED)) {
    throw fault(
      file,
      ['network', 'vpc'],
      `${stack.network.vpc} overlaps ${RESERVED}, which Linode keeps for itself`,
    );
  }
  const hidden = TIERS.find((tier) => isProvisioned(stack, tier) && !stack.network.public.includes(tier));
  if (hidden && jumpTier(stack) === null) {
    throw fault(
      file,
      ['network', 'public'],
      `no tier of Linodes is public, so that SSH could reach ${hidden} through none; add web`,
    );
  }
  if (!TIERS.some((tier) => isProvisioned(stack, tier))) return;
  checkOperators(file);
  checkExistingHosts(file);
}

/** From inside the VPC only hosts of the stack speak: a rule for operators there would open SSH to them, not to people. */
function checkOperators(file: StackFile): void {
  const { ssh, vpc } = file.stack.network;
  const index = ssh.findIndex((network) => !network.endsWith('/0') && overlap(network, vpc));
  if (index < 0) return;
  throw fault(
    file,
    ['network', 'ssh', String(index)],
    `${ssh[index]} overlaps network.vpc (${vpc}), from where nobody but the stack's own hosts speaks; name the public addresses from which you work, or choose another network.vpc`,
  );
}

/** Hosts in the VPC send what is for its addresses into the VPC, where a server outside of it is not. */
function checkExistingHosts(file: StackFile): void {
  const { stack } = file;
  for (const tier of TIERS) {
    for (const [index, { address, privateAddress }] of (settingsOf(stack, tier)?.hosts ?? []).entries()) {
      const inside = [address, privateAddress].find(
        (one) => one !== undefined && overlap(one, stack.network.vpc),
      );
      if (inside === undefined) continue;
      throw fault(
        file,
        ['tiers', tier, 'hosts', String(index), inside === address ? 'address' : 'privateAddress'],
        `${inside} lies in network.vpc (${stack.network.vpc}), where the Linodes of the stack would look for it in vain; choose another network.vpc`,
      );
    }
  }
}

/** Whether two networks share an address; an address is a network of one. IPv6 and IPv4 share none. */
function overlap(one: string, other: string): boolean {
  const [first, second] = [one, other].map(networkOf);
  if (!first || !second || first[0].kind() !== second[0].kind()) return false;
  return first[0].match(second[0], Math.min(first[1], second[1]));
}

function networkOf(text: string): [ipaddr.IPv4 | ipaddr.IPv6, number] {
  if (text.includes('/')) return ipaddr.parseCIDR(text);
  const address = ipaddr.parse(text);
  return [address, address.kind() === 'ipv4' ? 32 : 128];
}

/**
 * Holds the networks of the file against those that are there: neither a VPC's subnets nor a NodeBalancer's can be
 * changed.
 *
 * @throws UserError for a subnet of a tier that has other addresses than the file gives it, and for one of somebody else's
 *   that has the addresses of a tier's
 */
export function checkNetworks(file: StackFile, { vpc }: Resources): void {
  const { stack } = file;
  const entry = desiredEntry(stack);
  const wanted = [
    ...TIERS.filter((tier) => isProvisioned(stack, tier)).map((tier) => ({
      label: tier,
      ipv4: subnetOf(stack, tier),
    })),
    ...(entry ? [{ label: ENTRY_SUBNET, ipv4: entry.subnet }] : []),
  ];
  for (const existing of vpc?.subnets ?? []) {
    const clash = wanted.find(({ label, ipv4 }) =>
      label === existing.label ? ipv4 !== existing.ipv4 : overlap(ipv4, existing.ipv4),
    );
    if (!clash) continue;
    const same = clash.label === existing.label;
    throw fault(
      file,
      ['network', 'vpc'],
      same
        ? `the subnet ${existing.label} of the VPC ${vpc?.label} is ${existing.ipv4}, and ${stack.network.vpc} would make it ${clash.ipv4}: a subnet can't be changed; put network.vpc back, or destroy the stack first`
        : `the VPC ${vpc?.label} has a subnet "${existing.label}", ${existing.ipv4}, which overlaps ${clash.ipv4}, the place of ${clash.label}; remove it, or choose another network.vpc for a new stack`,
    );
  }
}

/** @throws UserError when something foreign stands where the stack has to build. */
export function checkOwnership(file: StackFile, resources: Resources): void {
  const { stack } = file;
  const taken = resources.strangers.find((stranger) => isInTheWay(file, resources, stranger));
  if (taken) {
    const mark = taken.what === 'VPC' ? `description "${vpcDescription(stack.stack)}"` : 'tags';
    throw fault(
      file,
      ['stack'],
      `there is a ${taken.what} "${taken.label}" (id ${taken.id}) without the ${mark} of this stack, so it belongs to somebody else; rename it, or choose another name for the stack`,
    );
  }
  const elsewhere = [
    ...resources.linodes,
    ...resources.balancers,
    ...(resources.vpc ? [resources.vpc] : []),
  ].find(({ region }) => region !== stack.region);
  if (elsewhere) {
    throw fault(
      file,
      ['region'],
      `the stack stands in ${elsewhere.region} (${elsewhere.label}); a stack can't be moved: destroy it first, or give the new one another name`,
    );
  }
  checkBalancer(file, resources);
}

function isInTheWay(file: StackFile, { linodes }: Resources, stranger: Stranger): boolean {
  if (stranger.lacks !== 'tags') return false;
  if (stranger.what !== 'Linode') return true;
  const tiers = layout(file.stack, (tier) => linodes.filter((linode) => linode.tier === tier).length);
  return tiers.some(({ hosts }) => hosts.some(({ label }) => label === stranger.label));
}

/**
 * @throws UserError for a NodeBalancer of the stack outside of the stack's VPC: it can't be moved there
 */
function checkBalancer(file: StackFile, { balancers, vpc }: Resources): void {
  const entry = desiredEntry(file.stack);
  const balancer = balancers.find(({ label }) => label === entry?.label);
  const subnet = vpc?.subnets.find(({ label }) => label === ENTRY_SUBNET);
  if (!balancer || subnet?.balancers.includes(balancer.id)) return;
  throw fault(
    file,
    ['tiers', 'web', 'entry'],
    `the NodeBalancer ${balancer.label} (id ${balancer.id}) is not in the subnet ${ENTRY_SUBNET} of this stack's VPC, and can't be moved there; delete it, and the next run makes it anew`,
  );
}

const SCOPES = ['linodes', 'firewall', 'vpc'];

/**
 * Asks for the right that is most easily forgotten, and compares the scopes that the API says the token has.
 *
 * @throws LinodeApiError for a token that is wrong; UserError naming every scope that is missing
 */
export async function checkToken(reader: LinodeReader, purpose: 'plan' | 'apply'): Promise<void> {
  await reader.events({}, 25);
  checkScopes(reader, purpose, SCOPES, ['events:read_only']);
}

/**
 * Compares the scopes that the API said the token has with what is needed of some kinds of things.
 *
 * @param more scopes that are needed as they are
 * @throws UserError naming every scope that is missing
 */
export function checkScopes(
  reader: LinodeReader,
  purpose: 'plan' | 'apply',
  kinds: readonly string[],
  more: readonly string[] = [],
): void {
  const has = reader.scopes();
  if (has === null) return;
  const needed = kinds.map((kind) => `${kind}:${purpose === 'apply' ? 'read_write' : 'read_only'}`);
  const missing = [...needed, ...more].filter((scope) => !grants(has, scope));
  if (missing.length > 0) {
    throw new UserError(
      `The Linode token lacks the scope${missing.length > 1 ? 's' : ''} ${missing.join(', ')} (it has: ${has}): make one with ${missing.length > 1 ? 'them' : 'it'} under Profile > API Tokens in the Cloud Manager. Nothing was changed.`,
    );
  }
}
