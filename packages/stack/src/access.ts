import type { Host, Inventory } from './inventory.js';
import { mergeNetworks, networkOfOne } from './networks.js';
import {
  buildsOnHosts,
  entrySubnet,
  type ExistingHost,
  hostsOfRole,
  isProvisioned,
  jumpTier,
  placeOf,
  settingsOf,
  subnetOf,
} from './place.js';
import { type Stack, TIERS, type TierName } from './schema.js';

/** Who may begin a conversation. */
export type Caller =
  | TierName
  /** Those who open the site: anybody, or the NodeBalancer where one stands in front. */
  | 'visitors'
  /** The networks of `network.ssh`; reach only hosts to which SSH goes directly. */
  | 'operators'
  /** The tier through which SSH reaches the others. */
  | 'jump';

export interface Access {
  readonly from: Caller;
  readonly to: TierName | 'every tier';
  /** TCP ports as a firewall takes them: `5432,8008`. */
  readonly ports: string;
  readonly what: string;
  /** The stacks in which it is needed; default all. */
  readonly where?: (stack: Stack) => boolean;
}

/** SSH's port in the table; a server that exists already may have another. */
const SSH = '22';

/**
 * Who talks to whom. Every firewall is made from this table, the Cloud Firewall in front of a host and the one on it,
 * and nothing that is not in it gets through.
 */
export const ACCESS: readonly Access[] = [
  { from: 'visitors', to: 'web', ports: '80,443', what: 'HTTP and HTTPS' },
  { from: 'operators', to: 'every tier', ports: SSH, what: 'SSH' },
  { from: 'jump', to: 'every tier', ports: SSH, what: 'SSH through a public host' },
  { from: 'web', to: 'app', ports: '5000', what: 'requests to the application' },
  {
    from: 'app',
    to: 'app',
    ports: '5000',
    what: 'modules that one host built for all',
    where: buildsOnHosts,
  },
  { from: 'app', to: 'database', ports: '5432', what: 'PostgreSQL' },
  { from: 'database', to: 'database', ports: '5432,8008', what: 'replication, Patroni' },
  { from: 'app', to: 'cache', ports: '6379,26379', what: 'Redis, Sentinel' },
  { from: 'cache', to: 'cache', ports: '6379,26379', what: 'replication, Sentinel' },
  { from: 'monitor', to: 'every tier', ports: '9100', what: 'figures of the host' },
  { from: 'monitor', to: 'web', ports: '80,443,9113', what: 'probes, figures of nginx' },
  { from: 'monitor', to: 'app', ports: '5000,9113', what: 'probes, figures of nginx' },
  { from: 'monitor', to: 'database', ports: '9187', what: 'figures of PostgreSQL' },
  { from: 'monitor', to: 'cache', ports: '9121', what: 'figures of Redis' },
];

interface Networks {
  readonly ipv4: readonly string[];
  readonly ipv6: readonly string[];
}

/** One line of a firewall: from these networks to these TCP ports. Networks don't overlap; `/0` is anybody. */
export interface WayIn extends Networks {
  /** `web-to-app-5000` */
  readonly label: string;
  readonly from: Caller;
  readonly ports: string;
  readonly what: string;
}

/** What the hosts of a tier let in, by the stack file alone; all else is dropped. */
export function waysIn(stack: Stack, tier: TierName): WayIn[] {
  const ours = isProvisioned(stack, tier);
  const ports = [...new Set(existingHosts(stack, tier).map(({ port }) => String(port)))];
  return waysOf(stack, {
    tier,
    direct: !ours || stack.network.public.includes(tier),
    jumped: ours,
    ssh: ports.join(',') || SSH,
    networksOf: (caller) => networksOf(stack, caller),
  });
}

/**
 * As `waysIn`, for the firewall on a host itself. Beyond the tier's ways it knows how SSH gets to this very host, and
 * the hosts of other tiers whose addresses lie outside of their tier's subnet.
 *
 * @returns a function of the host; what all hosts share is computed once
 */
export function waysInto(stack: Stack, inventory: Inventory): (host: Host) => WayIn[] {
  const known = new Map<string, Networks>();
  const remember = (key: string, compute: () => Networks): Networks => {
    const found = known.get(key) ?? compute();
    known.set(key, found);
    return found;
  };
  const doors = new Map(inventory.hosts.map((host) => [host.name, host]));
  return (host) => {
    const tier = TIERS.find((name) => name === host.tier);
    if (!tier) return [];
    const abroad = !isProvisioned(stack, tier);
    const door = host.ssh.via === null ? undefined : doors.get(host.ssh.via);
    const through = (caller: Caller): Host | undefined => (caller === 'jump' ? door : undefined);
    return waysOf(stack, {
      tier,
      direct: host.ssh.via === null,
      jumped: !abroad || host.ssh.via !== null,
      ssh: sshPorts(stack, tier, host),
      networksOf: (caller) =>
        remember(`${caller} ${through(caller)?.name} ${abroad}`, () => {
          const speaking = through(caller);
          const addresses = speaking
            ? speaksFrom(speaking, abroad)
            : addressesOf(stack, inventory, caller, abroad);
          return networksOf(stack, caller, addresses);
        }),
    });
  };
}

/** Where a firewall stands. */
interface Place {
  readonly tier: TierName;
  /** SSH comes without a host in between. */
  readonly direct: boolean;
  /** SSH may come through a public host. */
  readonly jumped: boolean;
  /** Ports of SSH. */
  readonly ssh: string;
  networksOf(caller: Caller): Networks;
}

function waysOf(stack: Stack, place: Place): WayIn[] {
  return ACCESS.filter((access) => reaches(stack, access, place)).flatMap(
    ({ from, to, ports: usual, what }) => {
      const networks = place.networksOf(from);
      if (networks.ipv4.length + networks.ipv6.length === 0) return [];
      const ports = usual === SSH ? place.ssh : usual;
      const target = to === 'every tier' ? place.tier : to;
      return [{ ...networks, from, ports, what, label: `${from}-to-${target}-${ports.split(',')[0]}` }];
    },
  );
}

/** Whether an access ends on the hosts of a tier, be it for the tier itself or for a role that is placed on it. */
function reaches(stack: Stack, { from, to, where }: Access, { tier, direct, jumped }: Place): boolean {
  if (where && !where(stack)) return false;
  if (from === 'operators') return direct;
  if (from === 'jump') return jumped;
  const outside = from === 'visitors' && stack.tiers.web.entry === 'dns';
  if (outside && !stack.network.public.includes(tier)) return false;
  return to === 'every tier' || placeOf(stack, to) === tier;
}

const ANYBODY: Networks = { ipv4: ['0.0.0.0/0'], ipv6: ['::/0'] };

function networksOf(stack: Stack, caller: Caller, addresses: readonly string[] = []): Networks {
  if (caller === 'visitors') {
    return stack.tiers.web.entry === 'dns' ? ANYBODY : byFamily([entrySubnet(stack)]);
  }
  if (caller === 'operators') return byFamily(stack.network.ssh);
  const tier = caller === 'jump' ? jumpTier(stack) : placeOf(stack, caller);
  return byFamily([...(tier ? networksOfTier(stack, tier) : []), ...addresses.map(networkOfOne)]);
}

/** The subnet of a tier of Linodes; the addresses of servers that exist already. */
function networksOfTier(stack: Stack, tier: TierName): string[] {
  if (isProvisioned(stack, tier)) return [subnetOf(stack, tier)];
  return existingHosts(stack, tier).flatMap(({ address, privateAddress }) =>
    [address, privateAddress ?? []].flat().map(networkOfOne),
  );
}

/** Addresses from which the hosts of a caller speak. */
function addressesOf(stack: Stack, inventory: Inventory, caller: Caller, abroad: boolean): string[] {
  if (caller === 'visitors' || caller === 'operators') return [];
  const role = caller === 'jump' ? jumpTier(stack) : caller;
  return role === null ? [] : hostsOfRole(stack, inventory, role).flatMap((host) => speaksFrom(host, abroad));
}

/** Its private address; both where the one to whom it speaks is elsewhere. */
function speaksFrom(host: Host, abroad: boolean): string[] {
  return abroad ? bothAddresses(host) : [host.privateAddress ?? host.publicAddress ?? []].flat();
}

const bothAddresses = ({ publicAddress, privateAddress }: Host): string[] =>
  [publicAddress, privateAddress].filter((address) => address !== null);

/** The port of a host's sshd. Where SSH goes to another address, a relay's say, the inventory's port is not its own. */
function sshPorts(stack: Stack, tier: TierName, host: Host): string {
  const own = bothAddresses(host);
  const named = existingHosts(stack, tier);
  const ports = [
    ...(own.includes(host.ssh.address) ? [host.ssh.port] : []),
    ...named.filter(({ address }) => own.includes(address)).map(({ port }) => port),
  ];
  return [...new Set(ports)].join(',') || SSH;
}

const existingHosts = (stack: Stack, tier: TierName): readonly ExistingHost[] =>
  settingsOf(stack, tier)?.hosts ?? [];

function byFamily(networks: readonly string[]): Networks {
  const merged = mergeNetworks(networks);
  return {
    ipv4: merged.filter((network) => !network.includes(':')),
    ipv6: merged.filter((network) => network.includes(':')),
  };
}
