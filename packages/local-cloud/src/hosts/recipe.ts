import { createHash } from 'node:crypto';

/** Bump when the steps in `image.ts` change in a way that the inputs below do not show. */
const RECIPE_VERSION = 2;

export const SUITES = { 'linode/debian13': 'trixie', 'linode/debian12': 'bookworm' } as const;
export type ImageName = keyof typeof SUITES;

/** What is installed in the image: what a Linode's Debian has and the tools of the stack need, no more. */
const INSTALLED = [
  'apt-utils',
  'ca-certificates',
  'cloud-init',
  'curl',
  'dbus',
  'iproute2',
  'iputils-ping',
  'libnss-myhostname',
  'netbase',
  'nftables',
  'openssh-server',
  'perl',
  'procps',
  'sudo',
  'systemd',
  'systemd-sysv',
  'zstd',
];

/**
 * The largest part of what the packages of a stack unpack, on every host anew: libraries that nothing of it asks for by name, and
 * with which no daemon comes. They are in the image already.
 */
const LIBRARIES: Readonly<Record<ImageName, readonly string[]>> = {
  'linode/debian13': ['libicu76', 'libllvm19'],
  'linode/debian12': ['libicu72', 'libllvm14'],
};
const SHARED_LIBRARIES = [
  'libio-pty-perl',
  'libipc-run-perl',
  'libjson-perl',
  'libnet-server-ss-prefork-perl',
  'libplack-perl',
  'libpq5',
];

/** What a host can `apt-get install` without a network, with everything these depend on or recommend. */
const AVAILABLE = [
  'age',
  'carton',
  'cpanminus',
  'cron',
  'gcc',
  'haproxy',
  'libc6-dev',
  'libdancer2-perl',
  'libdbd-pg-perl',
  'libmojolicious-perl',
  'libredis-perl',
  'logrotate',
  'make',
  'nginx',
  'pgbackrest',
  'postgresql',
  'prometheus',
  'prometheus-node-exporter',
  'redis-sentinel',
  'redis-server',
  'rsync',
  'starman',
];

/** Folder of the flat apt repository inside the image. */
export const REPOSITORY = '/var/lib/local-packages';

/** Units that only cost time in a host whose network is set from outside and whose life is short. */
const MASKED_UNITS = [
  'apt-daily-upgrade.timer',
  'apt-daily.timer',
  'console-getty.service',
  'dpkg-db-backup.timer',
  'fstrim.timer',
  'getty@tty1.service',
  'sshd-keygen.service',
  'systemd-networkd-wait-online.service',
  'systemd-networkd.service',
  'systemd-pstore.service',
];

// Modules that touch disks, boot loaders, mirrors or locales are left out: they have nothing to do in these hosts and
// make up most of cloud-init's time.
const CLOUD_CONFIG = `\
network: { config: disabled }
ssh_genkeytypes: [ed25519]
cloud_init_modules: [bootcmd, write_files, set_hostname, update_hostname, update_etc_hosts, users_groups, ssh]
cloud_config_modules: [ssh_import_id, set_passwords, timezone, runcmd]
cloud_final_modules: [package_update_upgrade_install, write_files_deferred, scripts_per_once, scripts_per_boot, scripts_per_instance, scripts_user, final_message]
`;

// Nobody reads a manual in these hosts, and to write them is much of what an installation takes.
const NO_MANUALS = `\
path-exclude=/usr/share/doc/*
path-exclude=/usr/share/man/*
`;

const AKAMAI_CONFIG = `\
datasource_list: [Akamai]
datasource: { Akamai: { allow_local_stage: false, allow_ipv6: false } }
`;

// cloud-init asks DMI whether it runs on a Linode and never does so in a container. A data source module outside its
// own package is looked for first and may wrap the one of the same name.
const AKAMAI_DATA_SOURCE = `\
"""Akamai's own data source, told that this is a Linode: a container has no DMI data to tell it."""

from cloudinit.sources import DataSourceAkamai as akamai

akamai.is_on_akamai = lambda: True
akamai.get_dmi_config = dict
akamai.get_local_instance_id = lambda: None
get_datasource_list = akamai.get_datasource_list
`;

// Debian 12's cloud-init is older than its Akamai data source: the same user data is fetched into a NoCloud seed.
const SEED_SCRIPT = `\
#!/bin/sh
# Hands the user data of the metadata service to cloud-init's NoCloud data source.
set -eu
service=http://169.254.169.254/v1
seed=/var/lib/cloud/seed/nocloud
get() { curl --fail --silent --show-error --retry 5 --retry-connrefused --max-time 10 "$@"; }
token=$(get --request PUT --header 'Metadata-Token-Expiry-Seconds: 300' "$service/token")
umask 077
mkdir -p "$seed"
get --header "Metadata-Token: $token" "$service/user-data" | base64 --decode > "$seed/user-data"
id=$(get --header "Metadata-Token: $token" "$service/instance" | sed -n 's/^id: //p')
printf 'instance-id: "%s"\\n' "$id" > "$seed/meta-data"
`;

const SEED_UNIT = `\
[Unit]
Description=Fetch user data for cloud-init
DefaultDependencies=no
Before=cloud-init-local.service
After=local-fs.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/local/sbin/fetch-user-data

[Install]
WantedBy=cloud-init.target
`;

/** A file that the image gets beside its packages. */
export interface ImageFile {
  readonly path: string;
  readonly content: string;
  readonly mode: number;
}

export interface Recipe {
  readonly suite: string;
  readonly installed: readonly string[];
  readonly available: readonly string[];
  readonly maskedUnits: readonly string[];
  readonly enabledUnits: readonly string[];
  readonly files: readonly ImageFile[];
}

function file(path: string, content: string, mode = 0o644): ImageFile {
  return { path, content, mode };
}

const DEBIAN_13_FILES = [
  file('/etc/cloud/cloud.cfg.d/91-data-source.cfg', AKAMAI_CONFIG),
  file('/usr/lib/python3/dist-packages/DataSourceAkamai.py', AKAMAI_DATA_SOURCE),
];
const DEBIAN_12_FILES = [
  file('/etc/cloud/cloud.cfg.d/91-data-source.cfg', 'datasource_list: [NoCloud]\n'),
  file('/usr/local/sbin/fetch-user-data', SEED_SCRIPT, 0o755),
  file('/etc/systemd/system/fetch-user-data.service', SEED_UNIT),
];

/**
 * Everything that decides what is in an image, as data.
 *
 * @param more further Debian packages that hosts can install
 */
export function recipeFor(image: ImageName, more: readonly string[] = []): Recipe {
  const old = image === 'linode/debian12';
  return {
    suite: SUITES[image],
    installed: [...INSTALLED, ...SHARED_LIBRARIES, ...LIBRARIES[image]],
    available: [...AVAILABLE, ...[...more].sort()],
    maskedUnits: MASKED_UNITS,
    enabledUnits: old ? ['fetch-user-data.service'] : [],
    files: [
      file('/etc/apt/sources.list.d/local.list', `deb [trusted=yes] file:${REPOSITORY} ./\n`),
      file('/etc/cloud/cloud.cfg.d/90-local.cfg', CLOUD_CONFIG),
      file('/etc/dpkg/dpkg.cfg.d/90-local', NO_MANUALS),
      ...(old ? DEBIAN_12_FILES : DEBIAN_13_FILES),
    ],
  };
}

/**
 * A RADOS Gateway with what it stands on, as Linode's Object Storage is one. It is no host: nothing
 * boots in it.
 */
export const STORAGE_RECIPE: Recipe = {
  suite: 'bookworm',
  installed: ['ceph-mon', 'ceph-osd', 'radosgw'],
  available: [],
  maskedUnits: [],
  enabledUnits: [],
  files: [],
};

/** Name of the image's folder in the cache: another recipe has another name. */
export function recipeKey(recipe: Recipe): string {
  const hash = createHash('sha256')
    .update(JSON.stringify([RECIPE_VERSION, recipe]))
    .digest('hex');
  return `${recipe.suite}-${hash.slice(0, 12)}`;
}
