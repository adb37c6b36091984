import type { Cloud } from './cloud.js';
import { enforceAnew } from './enforce.js';
import { badRequest, busy } from './errors.js';
import { linodeRef } from './events.js';
import { configToBoot, hostSpec } from './host-spec.js';
import type { Config, Disk, EntityRef, Linode } from './model.js';

/** How long each kind of work takes at Linode, in milliseconds; typical values of recorded events. */
export const DURATIONS = {
  createFromImage: 45_000,
  createEmpty: 8_000,
  boot: 20_000,
  shutdown: 28_000,
  reboot: 40_000,
  rebuild: 45_000,
  resize: 120_000,
  disk: 10_000,
} as const;

/** Refuses a change while work is going on. */
export function refuseWhenBusy(cloud: Cloud, linode: Linode): void {
  if (cloud.busy(linode)) throw busy();
}

/** Makes the disks of a new Linode; then it is off. */
export function scheduleCreate(cloud: Cloud, linode: Linode): void {
  const { image } = linode;
  cloud.enqueue(linode, linodeRef(linode), image === null ? null : imageRef(cloud, image), {
    action: 'linode_create',
    realMs: image === null ? DURATIONS.createEmpty : DURATIONS.createFromImage,
    work: () => makeHost(cloud, linode),
    finish: () => {
      readyDisks(cloud, linode);
      linode.status = 'offline';
    },
    fail: () => {
      linode.status = 'offline';
    },
  });
}

/** Boots after whatever is going on. */
export function scheduleBoot(cloud: Cloud, linode: Linode, config: Config | undefined): void {
  cloud.enqueue(linode, linodeRef(linode), config === undefined ? null : configRef(linode, config), {
    action: 'linode_boot',
    realMs: DURATIONS.boot,
    start: () => {
      linode.status = 'booting';
      linode.lastConfig = config?.id ?? null;
    },
    work: () => bootHost(cloud, linode),
    finish: () => become(cloud, linode, 'running'),
    fail: () => become(cloud, linode, 'offline'),
  });
}

export function scheduleShutdown(cloud: Cloud, linode: Linode): void {
  cloud.enqueue(linode, linodeRef(linode), null, {
    action: 'linode_shutdown',
    realMs: DURATIONS.shutdown,
    start: () => become(cloud, linode, 'shutting_down'),
    work: async () => {
      if (linode.hostMade !== null) await cloud.driver.shutdown(linode.id);
    },
    finish: () => become(cloud, linode, 'offline'),
    fail: () => become(cloud, linode, 'running'),
  });
}

export function scheduleReboot(
  cloud: Cloud,
  linode: Linode,
  config: Config | undefined,
  rescue = false,
): void {
  const wasRunning = linode.status === 'running';
  cloud.enqueue(linode, linodeRef(linode), config === undefined ? null : configRef(linode, config), {
    action: rescue ? 'linode_rescue' : 'linode_reboot',
    realMs: DURATIONS.reboot,
    start: () => {
      linode.status = 'rebooting';
      linode.lastConfig = config?.id ?? null;
    },
    work: () => (wasRunning ? rebootHost(cloud, linode) : bootHost(cloud, linode)),
    finish: () => become(cloud, linode, 'running'),
    fail: () => become(cloud, linode, 'offline'),
  });
}

/** Replaces the host by a new one from the image that the Linode now has. */
export function scheduleRebuild(cloud: Cloud, linode: Linode): void {
  const image = linode.image === null ? null : imageRef(cloud, linode.image);
  linode.status = 'rebuilding';
  cloud.enqueue(linode, linodeRef(linode), image, {
    action: 'linode_rebuild',
    realMs: DURATIONS.rebuild,
    work: async () => {
      await unmakeHost(cloud, linode);
      await makeHost(cloud, linode);
    },
    finish: () => {
      readyDisks(cloud, linode);
      become(cloud, linode, 'offline');
    },
    fail: () => become(cloud, linode, 'offline'),
  });
}

export function scheduleResize(cloud: Cloud, linode: Linode, type: string): void {
  const before = linode.status;
  cloud.enqueue(linode, linodeRef(linode), null, {
    action: 'linode_resize',
    realMs: DURATIONS.resize,
    start: () => {
      linode.status = 'resizing';
    },
    work: async () => undefined,
    finish: () => {
      linode.type = type;
      become(cloud, linode, before);
    },
    fail: () => become(cloud, linode, before),
  });
}

/** Work on a disk that shows in no status of the Linode. */
export function scheduleDiskWork(
  cloud: Cloud,
  linode: Linode,
  disk: Disk,
  action: string,
  finish: () => void,
): void {
  const url = `/v4/linode/instances/${linode.id}/disks/${disk.id}`;
  const secondary = { id: disk.id, type: 'disk', label: disk.label, url };
  cloud.enqueue(linode, linodeRef(linode), secondary, {
    action,
    realMs: DURATIONS.disk,
    work: async () => undefined,
    finish,
  });
}

/** The configuration profile to boot: the one asked for or the only possible one. */
export function chooseConfig(linode: Linode, id: number | undefined): Config {
  if (linode.generation === 'linode' && linode.interfaces.length === 0) {
    throw badRequest('Linode has no interfaces and cannot be booted.');
  }
  if (id !== undefined) {
    const asked = linode.configs.find((config) => config.id === id);
    if (asked === undefined) throw badRequest('Invalid config ID', 'config_id');
    return asked;
  }
  const config = configToBoot(linode);
  if (config !== undefined) return config;
  if (linode.configs.length === 0) throw badRequest('Linode has no configuration profile to boot.');
  throw badRequest('Linode has several configuration profiles; name one.', 'config_id');
}

export function configRef(linode: Linode, config: Config): EntityRef {
  const url = `/v4/linode/instances/${linode.id}/configs/${config.id}`;
  return { id: config.id, type: 'linode_config', label: config.label, url };
}

export function imageRef(cloud: Cloud, image: string): EntityRef {
  return { id: image, type: 'image', label: cloud.imageLabel(image), url: `/v4/images/${image}` };
}

function become(cloud: Cloud, linode: Linode, status: Linode['status']): void {
  linode.status = status;
  linode.updated = cloud.now();
}

function readyDisks(cloud: Cloud, linode: Linode): void {
  for (const disk of linode.disks) {
    disk.status = 'ready';
    disk.listed = true;
    disk.updated = cloud.now();
  }
}

/** A Linode without an image has nothing that a driver could boot. */
async function makeHost(cloud: Cloud, linode: Linode): Promise<void> {
  if (linode.image === null) return;
  const spec = hostSpec(cloud, linode);
  await cloud.driver.create(spec);
  linode.hostMade = JSON.stringify(spec.interfaces);
  linode.everBooted = false;
  await enforceAnew(cloud, linode);
}

async function unmakeHost(cloud: Cloud, linode: Linode): Promise<void> {
  if (linode.hostMade === null) return;
  linode.hostMade = null;
  await cloud.driver.destroy(linode.id);
}

/** A host that never ran is made anew if its interfaces changed since: there is nothing on it to lose. */
async function bootHost(cloud: Cloud, linode: Linode): Promise<void> {
  if (linode.hostMade === null) return;
  const stale = linode.hostMade !== JSON.stringify(hostSpec(cloud, linode).interfaces);
  if (stale && !linode.everBooted) {
    await unmakeHost(cloud, linode);
    await makeHost(cloud, linode);
  }
  linode.everBooted = true;
  await cloud.driver.boot(linode.id);
}

async function rebootHost(cloud: Cloud, linode: Linode): Promise<void> {
  if (linode.hostMade !== null) await cloud.driver.reboot(linode.id);
}
