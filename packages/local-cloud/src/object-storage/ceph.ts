import { randomUUID } from 'node:crypto';

/** Where the cluster has everything of its own, inside the image's root. */
export const CEPH_FOLDER = '/var/lib/ceph';
export const CEPH_CONF = `${CEPH_FOLDER}/ceph.conf`;
export const CEPH_PEM = `${CEPH_FOLDER}/gateway.pem`;

export interface CephOptions {
  readonly address: string;
  readonly port: number;
  /** `memory` is fast to make; `file` holds more than the machine's memory. */
  readonly store: 'memory' | 'file';
  readonly sizeMiB: number;
  /** How long a day of a lifecycle rule takes, in seconds; `null`: a day. */
  readonly lifecycleDayS: number | null;
  /** Where it speaks TLS too, with the key and certificate in `CEPH_PEM`; `null`: nowhere. */
  readonly tlsPort: number | null;
}

/** Below the ports from which connections go out: one of those was once taken when the monitor wanted it. */
const MONITOR_PORT = 3_300;

/**
 * A cluster of one monitor and one place for objects, which nobody else can reach: without authentication, and then
 * `ms mon client mode` must not be the secure one that radosgw asks for by itself (it would fail for ever, with code
 * -13). Every pool has one copy, since there is nowhere to put a second one. A cluster that stood still goes on as if it
 * had not: its right to answer (the read lease, a multiple of 20 s) lasts for a day, since where there is one copy nothing
 * looks again whether it was renewed, and what had asked in between waited for ever; and no thread is killed because its
 * last step took too long.
 */
export function cephConf(fsid: string, options: CephOptions): string {
  const { address, port, tlsPort, store, sizeMiB, lifecycleDayS } = options;
  const tls = tlsPort === null ? '' : ` ssl_endpoint=${address}:${tlsPort} ssl_certificate=${CEPH_PEM}`;
  const bytes = sizeMiB * 1024 * 1024;
  const lines = [
    '[global]',
    `fsid = ${fsid}`,
    `mon host = [v2:${address}:${MONITOR_PORT}]`,
    `public addr = ${address}`,
    `cluster addr = ${address}`,
    ...['cluster', 'service', 'client'].map((kind) => `auth ${kind} required = none`),
    'ms mon client mode = crc',
    'osd pool default size = 1',
    'osd pool default min size = 1',
    'osd pool default pg num = 2',
    'osd pool default pgp num = 2',
    'osd pool default pg autoscale mode = off',
    'mon allow pool size one = true',
    'mon max pg per osd = 1000',
    'osd crush chooseleaf type = 0',
    'osd pool default read lease ratio = 5000',
    'osd op thread suicide timeout = 0',
    `run dir = ${CEPH_FOLDER}/run`,
    `admin socket = ${CEPH_FOLDER}/run/$name.asok`,
    `log file = ${CEPH_FOLDER}/log/$name.log`,
    `mon data = ${CEPH_FOLDER}/mon`,
    `osd data = ${CEPH_FOLDER}/osd`,
    `osd objectstore = ${store === 'memory' ? 'memstore' : 'bluestore'}`,
    ...(store === 'memory'
      ? [`memstore device bytes = ${bytes}`]
      : ['bluestore block create = true', `bluestore block size = ${bytes}`]),
    `rgw frontends = beast endpoint=${address}:${port}${tls}`,
    ...(lifecycleDayS === null ? [] : [`rgw lc debug interval = ${lifecycleDayS}`]),
  ];
  return `${lines.join('\n')}\n`;
}

/**
 * Makes the cluster and runs it, inside the image's root, until it is killed. Arguments: folder, fsid, address of the
 * monitor, UUID of the place for objects.
 */
export const CEPH_SCRIPT = `
set -eu
folder=$1 fsid=$2 monitor=$3 uuid=$4
cd "$folder"
mkdir -p run log mon osd
set -- -c "$folder/ceph.conf"
monmaptool --create --fsid "$fsid" --addv a "$monitor" --enable-all-features --set-min-mon-release pacific monmap
ceph-mon "$@" --mkfs -i a --monmap monmap
ceph-mon "$@" -i a -f &
until ceph "$@" --connect-timeout 30 osd new "$uuid"; do sleep 0.2; done
ceph-osd "$@" -i 0 --mkfs --osd-uuid "$uuid"
ceph-osd "$@" -i 0 -f &
until ceph "$@" --connect-timeout 30 osd stat | grep -q '1 up'; do sleep 0.2; done
exec radosgw "$@" -n client.rgw -f
`;

/** Arguments of CEPH_SCRIPT for a new cluster, and its configuration. */
export function newCluster(options: CephOptions): {
  readonly conf: string;
  readonly args: readonly string[];
} {
  const fsid = randomUUID();
  const monitor = `[v2:${options.address}:${MONITOR_PORT}]`;
  return { conf: cephConf(fsid, options), args: [CEPH_FOLDER, fsid, monitor, randomUUID()] };
}

/** A private view of the image in which the cluster's folder lies over the image's own, which is never written to. */
export const ENTER_SCRIPT = `
set -eu
state=$1 root=$2
shift 2
mount --bind "$state" "$root${CEPH_FOLDER}"
mount --rbind /dev "$root/dev"
mount -t proc proc "$root/proc"
exec chroot "$root" "$@"
`;
