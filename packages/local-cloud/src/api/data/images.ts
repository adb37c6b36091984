/** Linode's own images in mid 2026. */
export interface Image {
  readonly id: string;
  readonly label: string;
  readonly deprecated: boolean;
  /** MB. */
  readonly size: number;
  readonly created: string;
  readonly updated: string;
  readonly description: string;
  readonly created_by: string;
  readonly type: string;
  readonly tags: readonly string[];
  readonly is_public: boolean;
  readonly is_shared: boolean;
  readonly vendor: string;
  readonly expiry: null;
  readonly eol: string | null;
  readonly regions: null;
  readonly status: string;
  readonly capabilities: readonly string[];
  readonly image_sharing: null;
}

/** Letters: c cloud-init, d usable in distributed sites, x deprecated, e has an end of life. */
type Row = readonly [id: string, label: string, vendor: string, size: number, flags: string];

const TABLE: readonly Row[] = [
  ['linode/almalinux10', 'AlmaLinux 10', 'AlmaLinux', 3500, 'ce'],
  ['linode/almalinux8', 'AlmaLinux 8', 'AlmaLinux', 4000, 'cde'],
  ['linode/almalinux9', 'AlmaLinux 9', 'AlmaLinux', 2500, 'cde'],
  ['linode/alpine3.21', 'Alpine 3.21', 'Alpine', 500, 'ce'],
  ['linode/alpine3.22', 'Alpine 3.22', 'Alpine', 500, 'ce'],
  ['linode/alpine3.23', 'Alpine 3.23', 'Alpine', 500, 'ce'],
  ['linode/arch', 'Arch Linux', 'Arch', 2500, 'c'],
  ['linode/centos-stream10', 'CentOS Stream 10', 'CentOS', 3500, 'ce'],
  ['linode/centos-stream9', 'CentOS Stream 9', 'CentOS', 2400, 'cde'],
  ['linode/debian11', 'Debian 11', 'Debian', 1500, 'cde'],
  ['linode/debian12', 'Debian 12', 'Debian', 1800, 'cde'],
  ['linode/debian13', 'Debian 13', 'Debian', 1800, 'cde'],
  ['linode/fedora43', 'Fedora 43', 'Fedora', 3000, 'ce'],
  ['linode/gentoo', 'Gentoo', 'Gentoo', 7000, 'c'],
  ['linode/kali', 'Kali Linux', 'Kali', 1536, 'c'],
  ['linode/debian12-kube-v1.33.10', 'Kubernetes 1.33.10 on Debian 12', 'Debian', 3500, 'ce'],
  ['linode/debian12-kube-v1.34.6', 'Kubernetes 1.34.6 on Debian 12', 'Debian', 3500, 'ce'],
  ['linode/debian12-kube-v1.35.3', 'Kubernetes 1.35.3 on Debian 12', 'Debian', 3500, 'ce'],
  ['linode/debian12-kube-v1.36.0', 'Kubernetes 1.36.0 on Debian 12', 'Debian', 3000, 'ce'],
  ['linode/rocky10', 'Rocky Linux 10', 'Rocky', 3500, 'ce'],
  ['linode/rocky8', 'Rocky Linux 8', 'Rocky', 4000, 'cde'],
  ['linode/rocky9', 'Rocky Linux 9', 'Rocky', 2500, 'cde'],
  ['linode/slackware15.0', 'Slackware 15.0', 'Slackware', 11600, ''],
  ['linode/ubuntu22.04', 'Ubuntu 22.04 LTS', 'Ubuntu', 3500, 'cde'],
  ['linode/ubuntu22.04-kube', 'Ubuntu 22.04 LTS KPP', 'Ubuntu', 3500, 'ce'],
  ['linode/ubuntu24.04-kube-vmulti', 'Ubuntu 24.04 for LKE', 'Ubuntu', 4000, 'ce'],
  ['linode/ubuntu24.04', 'Ubuntu 24.04 LTS', 'Ubuntu', 3500, 'cde'],
  ['linode/ubuntu24.04-nvidia', 'Ubuntu 24.04 LTS NVIDIA', 'Ubuntu', 4500, 'cde'],
  ['linode/alpine3.20', 'Alpine 3.20', 'Alpine', 400, 'cxe'],
  ['linode/centos7', 'CentOS 7', 'CentOS', 2800, 'dxe'],
  ['linode/fedora42', 'Fedora 42', 'Fedora', 3000, 'cxe'],
  ['linode/opensuse15.6', 'openSUSE Leap 15.6', 'openSUSE', 1200, 'cxe'],
  ['linode/ubuntu20.04', 'Ubuntu 20.04 LTS', 'Ubuntu', 3500, 'cdxe'],
  ['linode/ubuntu25.10', 'Ubuntu 25.10', 'Ubuntu', 3500, 'cxe'],
];

export const IMAGES: readonly Image[] = TABLE.map(image);

/** No longer listed, but machines made from them exist and a create from them was accepted for years after. */
const RETIRED: readonly (readonly [RegExp, string])[] = [
  [/^linode\/alpine3\.(9|1\d)$/, 'Alpine'],
  [/^linode\/almalinux[89]$/, 'AlmaLinux'],
  [/^linode\/centos(7|8|-stream[89])$/, 'CentOS'],
  [/^linode\/debian(8|9|10)$/, 'Debian'],
  [/^linode\/fedora(3\d|4[01])$/, 'Fedora'],
  [/^linode\/opensuse15\.[0-5]$/, 'openSUSE Leap'],
  [/^linode\/rocky[89]$/, 'Rocky Linux'],
  [/^linode\/ubuntu(16\.04lts|18\.04|2[0-5]\.(04|10))$/, 'Ubuntu'],
];

/** An image that a host can be made from, listed or retired; `undefined` for a slug that never was. */
export function imageOf(id: string): Image | undefined {
  return IMAGES.find((known) => known.id === id) ?? retired(id);
}

function retired(id: string): Image | undefined {
  const vendor = RETIRED.find(([pattern]) => pattern.test(id))?.[1];
  if (vendor === undefined) return undefined;
  const version = /[\d.]+/.exec(id)?.[0] ?? '';
  return image([id, `${vendor} ${version}`, vendor, 1500, 'cxe']);
}

function image([id, label, vendor, size, flags]: Row): Image {
  const capabilities = [
    ...(flags.includes('c') ? ['cloud-init'] : []),
    ...(flags.includes('d') ? ['distributed-sites'] : []),
  ];
  return {
    id,
    label,
    deprecated: flags.includes('x'),
    size,
    created: '2026-01-02T03:04:05',
    updated: '2026-01-02T03:04:05',
    description: '',
    created_by: 'linode',
    type: 'manual',
    tags: [],
    is_public: true,
    is_shared: false,
    vendor,
    expiry: null,
    eol: flags.includes('e') ? '2030-01-02T03:04:05' : null,
    regions: null,
    status: 'available',
    capabilities,
    image_sharing: null,
  };
}
