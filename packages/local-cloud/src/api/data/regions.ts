/** The regions of Linode in July 2026 and what each offers. */
export interface Region {
  readonly id: string;
  readonly label: string;
  readonly country: string;
  readonly capabilities: readonly string[];
  readonly monitors: { readonly alerts: readonly string[]; readonly metrics: readonly string[] };
  readonly status: string;
  readonly resolvers: { readonly ipv4: string; readonly ipv6: string };
  readonly placement_group_limits: {
    readonly maximum_pgs_per_customer: number | null;
    readonly maximum_linodes_per_pg: number;
    readonly maximum_linodes_per_flexible_pg: number;
  };
  readonly site_type: 'core' | 'distributed';
}

/** What every core region offers. */
const CORE = [
  'Linodes',
  'Block Storage Encryption',
  'Disk Encryption',
  'Backups',
  'NodeBalancers',
  'Block Storage',
  'Kubernetes',
  'Cloud Firewall',
  'Vlans',
  'Metadata',
  'Placement Group',
  'StackScripts',
  'Maintenance Policy',
  'Linode Interfaces',
];

const DISTRIBUTED = [
  'Linodes',
  'Disk Encryption',
  'Cloud Firewall',
  'Vlans',
  'Metadata',
  'Distributed Plans',
  'Maintenance Policy',
];

/** Letters for what only some core regions offer. */
const EXTRAS: Readonly<Record<string, readonly string[]>> = {
  A: ['ACLP Logs Datacenter LKE-E'],
  D: ['Managed Databases'],
  G: ['GPU Linodes'],
  K: ['Kubernetes Enterprise'],
  L: ['LA Disk Encryption'],
  M: ['Block Storage Migrations'],
  N: ['NETINT Quadra T1U'],
  O: ['Object Storage'],
  P: ['Premium Plans'],
  R: ['Custom VPC IPv4 Ranges'],
  V: ['VPCs', 'VPC Dual Stack', 'VPC IPv6 Stack'],
};

const MONITORED: Readonly<Record<string, string>> = {
  d: 'Managed Databases',
  l: 'Linodes',
  n: 'NodeBalancers',
  o: 'Object Storage',
};

/** Id, label, extras (`-`: a distributed site), monitored services. */
const TABLE: readonly (readonly [string, string, string, string])[] = [
  ['au-mel', 'Melbourne, AU', 'LOVDP', 'dno'],
  ['us-lax', 'Los Angeles, CA', 'LOGKVDPNA', 'dno'],
  ['nz-akl-1', 'Auckland, NZ', '-', ''],
  ['us-den-1', 'Denver, CO', '-', ''],
  ['de-ham-1', 'Hamburg, DE', '-', ''],
  ['za-jnb-1', 'Johannesburg, ZA', '-', ''],
  ['my-kul-1', 'Kuala Lumpur, MY', '-', ''],
  ['co-bog-1', 'Bogotá, CO', '-', ''],
  ['mx-qro-1', 'Querétaro, MX', '-', ''],
  ['us-hou-1', 'Houston, TX', '-', ''],
  ['cl-scl-1', 'Santiago, CL', '-', ''],
  ['gb-lon', 'London 2, UK', 'LOGKVDPNA', 'ldno'],
  ['id-cgk', 'Jakarta, ID', 'LOGKVDP', 'dn'],
  ['in-bom-2', 'Mumbai 2, IN', 'LGKVDPA', 'dno'],
  ['de-fra-2', 'Frankfurt 2, DE', 'LOGKVDPNA', 'dno'],
  ['sg-sin-2', 'Singapore 2, SG', 'LOGKVDPA', 'ldno'],
  ['jp-tyo-3', 'Tokyo 3, JP', 'LOGKVDPA', 'dno'],
  ['de-ber-1', 'Berlin, DE', '-', ''],
  ['no-osl-1', 'Oslo, NO', 'KVDPAR', 'dno'],
  ['us-iad-2', 'Washington 2, DC', 'OKVDP', 'dno'],
  ['fr-par-2', 'Paris 2, FR', 'GKVDPA', 'dno'],
  ['co-bog-2', 'Bogotá 2, CO', '-', ''],
  ['fr-mrs-2', 'Marseille 2, FR', '-', ''],
  ['us-mia', 'Miami, FL', 'LOGKVDPN', 'dn'],
  ['ap-west', 'Mumbai, IN', 'LMD', 'dn'],
  ['ca-central', 'Toronto, CA', 'LGMD', 'dn'],
  ['ap-southeast', 'Sydney, AU', 'LMD', 'dn'],
  ['us-iad', 'Washington, DC', 'LOKVDPA', 'ldno'],
  ['us-ord', 'Chicago, IL', 'LOGKVDPA', 'ldno'],
  ['fr-par', 'Paris, FR', 'LOGKVDP', 'dno'],
  ['us-sea', 'Seattle, WA', 'LOGKVDPA', 'dno'],
  ['br-gru', 'Sao Paulo, BR', 'LOKVDP', 'dn'],
  ['nl-ams', 'Amsterdam, NL', 'LOGKVDP', 'dn'],
  ['se-sto', 'Stockholm, SE', 'LOGKVDP', 'dn'],
  ['es-mad', 'Madrid, ES', 'LOKVDP', 'dn'],
  ['in-maa', 'Chennai, IN', 'LOGKVDPN', 'dn'],
  ['jp-osa', 'Osaka, JP', 'LOGKVDP', 'dn'],
  ['it-mil', 'Milan, IT', 'LOKVDP', 'dn'],
  ['us-central', 'Dallas, TX', 'LMD', 'dn'],
  ['ap-northeast', 'Tokyo 2, JP', 'LMD', 'dn'],
  ['eu-central', 'Frankfurt, DE', 'LOGMD', 'dn'],
  ['ap-south', 'Singapore, SG', 'LOGM', 'n'],
  ['eu-west', 'London, UK', 'LM', 'n'],
  ['us-east', 'Newark, NJ', 'LOGMD', 'dn'],
  ['us-southeast', 'Atlanta, GA', 'LOGMD', 'dn'],
  ['us-west', 'Fremont, CA', 'LMD', 'dn'],
];

export const REGIONS: readonly Region[] = TABLE.map(([id, label, extras, monitored]) =>
  region(id, label, extras, monitored),
);

function region(id: string, label: string, extras: string, monitored: string): Region {
  const distributed = extras === '-';
  const services = [...monitored].flatMap((letter) => MONITORED[letter] ?? []);
  return {
    id,
    label,
    country: countryOf(id, label),
    capabilities: distributed
      ? DISTRIBUTED
      : [...CORE, ...[...extras].flatMap((letter) => EXTRAS[letter] ?? [])],
    monitors: { alerts: services, metrics: services },
    status: 'ok',
    resolvers: resolvers(distributed ? 2 : 10),
    placement_group_limits: placementLimits(distributed),
    site_type: distributed ? 'distributed' : 'core',
  };
}

/** Ids begin with a country's code or, older ones, a continent's; labels end in the code of the country then. */
function countryOf(id: string, label: string): string {
  const [prefix = ''] = id.split('-');
  if (!['ap', 'eu'].includes(prefix)) return prefix;
  const place = label.slice(label.lastIndexOf(', ') + 2).toLowerCase();
  return place === 'uk' ? 'gb' : place;
}

function resolvers(count: number): Region['resolvers'] {
  const numbers = Array.from({ length: count }, (_, index) => index + 5);
  return {
    ipv4: numbers.map((number) => `192.0.2.${number}`).join(','),
    ipv6: numbers.map((number) => `2001:db8:53::${number}`).join(','),
  };
}

function placementLimits(distributed: boolean): Region['placement_group_limits'] {
  if (distributed) {
    return { maximum_pgs_per_customer: 0, maximum_linodes_per_pg: 0, maximum_linodes_per_flexible_pg: 0 };
  }
  return { maximum_pgs_per_customer: null, maximum_linodes_per_pg: 5, maximum_linodes_per_flexible_pg: 250 };
}
