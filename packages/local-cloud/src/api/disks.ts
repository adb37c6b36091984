import { stamps, type Cloud } from './cloud.js';
import { forgetDisk } from './configs.js';
import { imageOf } from './data/images.js';
import type { JsonObject } from './json.js';
import { refuseWhenBusy, scheduleDiskWork } from './lifecycle.js';
import { diskOf, linodeOf } from './lookup.js';
import type { Disk, Linode } from './model.js';
import { checkAuthentication } from './passwords.js';
import type { Call, Route } from './router.js';

const READ = 'linodes:read_only';
const WRITE = 'linodes:read_write';
const BASE = '/linode/instances/:linode/disks';
const ONE = `${BASE}/:disk`;

const FILESYSTEMS = ['ext4', 'ext3', 'swap', 'raw', 'initrd'] as const;

export const diskRoutes: Route[] = [
  { method: 'GET', path: BASE, scopes: READ, handle: listDisks },
  { method: 'POST', path: BASE, scopes: WRITE, handle: createDisk },
  { method: 'GET', path: ONE, scopes: READ, handle: getDisk },
  { method: 'PUT', path: ONE, scopes: WRITE, handle: updateDisk },
  { method: 'DELETE', path: ONE, scopes: WRITE, handle: deleteDisk },
  { method: 'POST', path: `${ONE}/resize`, scopes: WRITE, handle: resizeDisk },
  { method: 'POST', path: `${ONE}/password`, scopes: WRITE, handle: resetPassword },
];

export function diskView(linode: Linode, disk: Disk): JsonObject {
  return {
    id: disk.id,
    status: disk.status,
    label: disk.label,
    ...stamps(disk),
    filesystem: disk.filesystem,
    size: disk.size,
    disk_encryption: linode.diskEncryption,
  };
}

export function newDisk(cloud: Cloud, label: string, filesystem: string, size: number): Disk {
  const now = cloud.now();
  return {
    id: cloud.newId(),
    label,
    status: 'not ready',
    created: now,
    updated: now,
    filesystem,
    size,
    listed: false,
  };
}

function listDisks(call: Call): JsonObject {
  const linode = linodeOf(call);
  const disks = linode.disks.filter((disk) => disk.listed);
  return call.list(
    disks.map((disk) => diskView(linode, disk)),
    ['id', 'label', 'size'],
  );
}

function getDisk(call: Call): JsonObject {
  const linode = linodeOf(call);
  return diskView(linode, diskOf(call, linode));
}

function createDisk(call: Call): JsonObject {
  const { cloud, body } = call;
  const linode = linodeOf(call);
  refuseWhenBusy(cloud, linode);
  const label = body.string('label');
  const size = body.requiredInteger('size');
  const filesystem = body.choice('filesystem', FILESYSTEMS) ?? 'ext4';
  const image = body.string('image');
  if (image !== undefined && imageOf(image) === undefined) body.fail('image is not valid', 'image');
  if (image !== undefined) checkAuthentication(body);
  if (size > freeSpace(cloud, linode)) body.fail('Not enough unallocated storage', 'size');
  body.check();
  const disk = newDisk(cloud, label ?? `Disk ${linode.disks.length + 1}`, filesystem, size);
  linode.disks.push(disk);
  scheduleDiskWork(cloud, linode, disk, 'disk_create', () => {
    disk.status = 'ready';
    disk.listed = true;
  });
  return diskView(linode, disk);
}

function updateDisk(call: Call): JsonObject {
  const { cloud, body } = call;
  const linode = linodeOf(call);
  const disk = diskOf(call, linode);
  const label = body.string('label');
  body.check();
  disk.label = label ?? disk.label;
  disk.updated = cloud.now();
  return diskView(linode, disk);
}

function deleteDisk(call: Call): JsonObject {
  const { cloud } = call;
  const linode = linodeOf(call);
  const disk = diskOf(call, linode);
  refuseWhenBusy(cloud, linode);
  scheduleDiskWork(cloud, linode, disk, 'disk_delete', () => {
    linode.disks.splice(linode.disks.indexOf(disk), 1);
    forgetDisk(linode, disk.id);
  });
  return {};
}

function resizeDisk(call: Call): JsonObject {
  const { cloud, body } = call;
  const linode = linodeOf(call);
  const disk = diskOf(call, linode);
  refuseWhenBusy(cloud, linode);
  const size = body.requiredInteger('size');
  if (size > disk.size + freeSpace(cloud, linode)) body.fail('Not enough unallocated storage', 'size');
  body.check();
  scheduleDiskWork(cloud, linode, disk, 'disk_resize', () => {
    disk.size = size;
    disk.updated = cloud.now();
  });
  return {};
}

function resetPassword(call: Call): JsonObject {
  const { cloud, body } = call;
  const linode = linodeOf(call);
  const disk = diskOf(call, linode);
  refuseWhenBusy(cloud, linode);
  body.requiredString('password');
  body.check();
  scheduleDiskWork(cloud, linode, disk, 'password_reset', () => undefined);
  return {};
}

function freeSpace(cloud: Cloud, linode: Linode): number {
  return cloud.plan(linode.type).disk - linode.disks.reduce((sum, disk) => sum + disk.size, 0);
}
