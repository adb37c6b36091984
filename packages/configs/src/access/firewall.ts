import { isProvisioned, TIERS, type Host, type WayIn, waysInto } from '@perlstack/stack';
import type { ManagedFile, ServiceConfig } from '../bundle.js';
import { headingOf, textFile } from '../files.js';
import {
  BLANK,
  block,
  comment,
  identifier,
  networkSet,
  nft,
  type NftStatement,
  type NftText,
  ports,
  printNftables,
} from '../print/nftables.js';
import { command, printUnit, type UnitText } from '../print/systemd.js';
import type { Renderer, World } from '../world.js';

/** Everything that `nft` loads; files beside ours are the user's own. */
const FOLDER = '/etc/nftables.d';
const RULES = `${FOLDER}/00-perlstack.nft`;
const INCLUDE = `include "${FOLDER}/*.nft"`;

const FAMILIES = ['ipv4', 'ipv6'] as const;
type Family = (typeof FAMILIES)[number];

const isAnybody = (networks: readonly string[]): boolean =>
  networks.some((network) => network.endsWith('/0'));
const setName = ({ from }: WayIn, family: Family): NftText => identifier(`${from}_${family}`);

/** One set for each caller and family, unless it is anybody. */
function sets(ways: readonly WayIn[]): NftStatement[] {
  const byCaller = [...new Map(ways.map((way) => [way.from, way])).values()];
  return byCaller.flatMap((way) =>
    FAMILIES.filter((family) => way[family].length > 0 && !isAnybody(way[family])).flatMap((family) => [
      networkSet(setName(way, family), family, way[family]),
      BLANK,
    ]),
  );
}

function waysRules(way: WayIn): NftText[] {
  const accept = nft`tcp dport ${ports(way.ports)} counter accept comment ${`${way.from}: ${way.what}`}`;
  if (isAnybody(way.ipv4) && isAnybody(way.ipv6)) return [accept];
  const source: Record<Family, NftText> = { ipv4: nft`ip saddr`, ipv6: nft`ip6 saddr` };
  return FAMILIES.filter((family) => way[family].length > 0).map((family) =>
    isAnybody(way[family])
      ? nft`meta nfproto ${identifier(family)} ${accept}`
      : nft`${source[family]} @${setName(way, family)} ${accept}`,
  );
}

/**
 * Empties itself some time after every load. Until a connection that this host opened earlier has sent something, the
 * kernel takes its next answer for a beginning: a query under way, or the way through a jump host, would hang.
 */
const LOADED: NftStatement = block(nft`set loaded`, [
  nft`type ct_state`,
  nft`flags timeout`,
  nft`elements = { new timeout 1h }`,
]);

/** What every host needs besides conversations of its own: the network's own messages, and no more of them. */
const NETWORK: readonly NftText[] = [
  comment('Path MTU and unreachable hosts; of echoes as many as people send.'),
  nft`icmp type { destination-unreachable, time-exceeded, parameter-problem } accept`,
  nft`icmpv6 type { destination-unreachable, packet-too-big, time-exceeded, parameter-problem } accept`,
  nft`icmp type echo-request limit rate 20/second burst 50 packets accept`,
  nft`icmpv6 type echo-request limit rate 20/second burst 50 packets accept`,
  BLANK,
  comment('IPv6 does not work without its neighbours; from the same link only.'),
  nft`icmpv6 type { nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert } ip6 hoplimit 255 accept`,
  nft`ip6 saddr fe80::/10 icmpv6 type mld-listener-query accept`,
  BLANK,
  comment("DHCP's answers, where they don't belong to a conversation."),
  nft`udp sport 67 udp dport 68 accept`,
  nft`ip6 saddr fe80::/10 udp sport 547 udp dport 546 accept`,
];

function inputChain(ways: readonly WayIn[]): NftStatement {
  return block(nft`chain input`, [
    nft`type filter hook input priority filter; policy drop;`,
    BLANK,
    nft`iif "lo" accept`,
    nft`ct state established,related accept`,
    nft`ct state invalid counter drop`,
    BLANK,
    comment('What was open before these rules were: its answers. Without SYN nothing new begins.'),
    nft`ct state @loaded tcp flags & (syn | rst | ack) == ack counter accept`,
    BLANK,
    ...NETWORK,
    BLANK,
    comment('Who may begin a conversation.'),
    ...ways.flatMap(waysRules),
    nft`jump local`,
    BLANK,
    comment('All else is dropped: counted and, now and then, logged where it was meant for this host alone.'),
    nft`meta pkttype { broadcast, multicast } drop`,
    nft`limit rate 10/minute burst 20 packets log prefix ${'perlstack drop: '} level info`,
    nft`counter drop`,
  ]);
}

/** A Linode of ours forwards nothing, and its user data (it held a host key once) is for root's processes alone. */
const OF_OURS: readonly NftStatement[] = [
  BLANK,
  block(nft`chain forward`, [nft`type filter hook forward priority filter; policy drop;`]),
  BLANK,
  block(nft`chain output`, [
    nft`type filter hook output priority filter; policy accept;`,
    BLANK,
    comment('The metadata service hands out the user data of this host: for root alone.'),
    nft`ip daddr 169.254.169.254 tcp dport 80 meta skuid != 0 counter reject with tcp reset`,
    nft`ip6 daddr fd00:a9fe:a9fe::1 tcp dport 80 meta skuid != 0 counter reject with tcp reset`,
  ]),
];

const isOurs = ({ stack }: World, host: Host): boolean =>
  TIERS.some((tier) => tier === host.tier && isProvisioned(stack, tier));

function rulesOf(world: World, host: Host, ways: readonly WayIn[]): string {
  return printNftables([
    comment(headingOf(world.stack, host)),
    comment("Only this table is replaced; those of others, such as docker's, stay as they are."),
    BLANK,
    ...WITHOUT_OURS.map((statement) => ({ nft: statement })),
    BLANK,
    block(nft`table inet perlstack`, [
      ...sets(ways),
      LOADED,
      BLANK,
      comment(
        `For rules of your own: \`add rule inet perlstack local tcp dport 8123 accept\` in ${FOLDER}/*.nft.`,
      ),
      block(nft`chain local`, []),
      BLANK,
      inputChain(ways),
      ...(isOurs(world, host) ? OF_OURS : []),
    ]),
  ]);
}

function mainFile({ stack }: World, host: Host): string {
  return `#!/usr/sbin/nft -f\n# ${headingOf(stack, host)}\n${INCLUDE}\n`;
}

/** nftables 1.0.6 can't delete what may not be there: it is made first. */
const WITHOUT_OURS = ['table inet perlstack', 'delete table inet perlstack'];

/**
 * Debian's unit flushes everybody's tables when it stops. Ours takes away its own, and a reload does so first, so that
 * none of it is left when an older file comes back that knows nothing of it.
 */
function dropIn({ stack }: World, host: Host): ManagedFile {
  const nftCommand = (...statements: string[]): UnitText => command(['/usr/sbin/nft', statements.join('; ')]);
  const text = printUnit(
    [headingOf(stack, host)],
    [
      {
        name: 'Service',
        entries: [
          ['ExecReload', ''],
          ['ExecReload', nftCommand(...WITHOUT_OURS, 'include "/etc/nftables.conf"')],
          ['ExecStop', ''],
          ['ExecStop', nftCommand(...WITHOUT_OURS)],
        ],
      },
    ],
  );
  return textFile('/etc/systemd/system/nftables.service.d/perlstack.conf', text);
}

const waysByWorld = new WeakMap<World, (host: Host) => WayIn[]>();

/** What all hosts of a world share is computed once. */
function waysOf(world: World, host: Host): WayIn[] {
  const ways = waysByWorld.get(world) ?? waysInto(world.stack, world.inventory);
  waysByWorld.set(world, ways);
  return ways(host);
}

/**
 * nftables on every host: the same ways in as its Cloud Firewall has, for the case that one of the two is missing. A
 * host of which the stack file knows nothing keeps what it has.
 */
export const firewall: Renderer = (world, host) => {
  const ways = waysOf(world, host);
  return ways.length === 0 ? null : { service: firewallService(world, host, ways) };
};

const firewallService = (world: World, host: Host, ways: readonly WayIn[]): ServiceConfig => ({
  name: 'firewall',
  // Still there when a change is taken back, so that taking it back harms no table of others.
  presets: [dropIn(world, host)],
  packages: ['nftables'],
  directories: [{ path: FOLDER, owner: 'root', group: 'root', mode: 0o755 }],
  files: [
    textFile(RULES, rulesOf(world, host, ways)),
    { ...textFile('/etc/nftables.conf', mainFile(world, host)), mode: 0o755 },
  ],
  removes: [],
  roots: [FOLDER],
  validate: [['nft', '--check', INCLUDE]],
  unit: { name: 'nftables.service', enabled: true, state: 'running', onChange: 'reload' },
  daemonReload: true,
  probe: [['nft', 'list', 'chain', 'inet', 'perlstack', 'input']],
  guardsAccess: true,
});

/** Of what the servers that existed before have to be told. */
export function accessNotes(world: World): string[] {
  const names = world.inventory.hosts.filter((host) => !isOurs(world, host)).map(({ name }) => name);
  if (names.length === 0) return [];
  return [
    `${names.join(', ')}: from now on lets in SSH and what the stack needs, nothing else; for other services put rules into ${FOLDER} first. SSH takes keys alone`,
  ];
}
