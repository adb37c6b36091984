import { found, stamps, type Cloud } from './cloud.js';
import type { JsonObject } from './json.js';
import { LINODE_LABEL, otherLabels, readLabel, readTags, requireLabel, type LabelRule } from './labels.js';
import { linodeOf } from './lookup.js';
import type { EntityRef, Linode, Volume } from './model.js';
import type { Call, Route } from './router.js';
import { useTags } from './tagging.js';

/** GB. */
const USUAL_SIZE = 20;
const LEAST_SIZE = 10;
const MOST_SIZE = 16_384;

/** A volume is ready so long after it was made or resized; milliseconds at Linode. */
const PREPARATION = 3_000;

const LABEL: LabelRule = { ...LINODE_LABEL, least: 1, most: 32, among: 'volumes' };

const READ = 'volumes:read_only';
const WRITE = 'volumes:read_write';
const BASE = '/volumes';
const ONE = `${BASE}/:volume`;

/** Block storage as the API tells of it; no host gets to see any of it. */
export const volumeRoutes: Route[] = [
  { method: 'GET', path: BASE, scopes: READ, handle: listVolumes },
  { method: 'POST', path: BASE, scopes: WRITE, limit: 'create-volume', handle: createVolume },
  { method: 'GET', path: ONE, scopes: READ, handle: (call) => volumeView(call.cloud, volumeOf(call)) },
  { method: 'PUT', path: ONE, scopes: WRITE, handle: updateVolume },
  { method: 'DELETE', path: ONE, scopes: WRITE, handle: deleteVolume },
  { method: 'POST', path: `${ONE}/attach`, scopes: `${WRITE},linodes:read_write`, handle: attachVolume },
  { method: 'POST', path: `${ONE}/detach`, scopes: `${WRITE},linodes:read_write`, handle: detachVolume },
  { method: 'POST', path: `${ONE}/resize`, scopes: WRITE, handle: resizeVolume },
  { method: 'POST', path: `${ONE}/clone`, scopes: WRITE, handle: cloneVolume },
  {
    method: 'GET',
    path: '/linode/instances/:linode/volumes',
    scopes: 'linodes:read_only',
    handle: listOfLinode,
  },
];

export function volumeView(cloud: Cloud, volume: Volume): JsonObject {
  const linode = cloud.linodes.get(volume.linode ?? 0);
  const ready = cloud.now() > volume.readyAt;
  return {
    id: volume.id,
    status: ready ? 'active' : volume.pending,
    label: volume.label,
    ...stamps(volume),
    filesystem_path: `/dev/disk/by-id/scsi-0Linode_Volume_${volume.label}`,
    size: volume.size,
    linode_id: linode?.id ?? null,
    linode_label: linode?.label ?? null,
    io_ready: ready && linode?.status === 'running',
    region: volume.region,
    tags: volume.tags,
    hardware_type: 'nvme',
    encryption: volume.encryption,
    locks: [],
  };
}

function listVolumes(call: Call): JsonObject {
  const { cloud } = call;
  return call.list(
    [...cloud.volumes.values()].map((volume) => volumeView(cloud, volume)),
    ['id', 'label', 'tags'],
  );
}

function listOfLinode(call: Call): JsonObject {
  const { cloud } = call;
  const { id } = linodeOf(call);
  const attached = [...cloud.volumes.values()].filter((volume) => volume.linode === id);
  return call.list(
    attached.map((volume) => volumeView(cloud, volume)),
    ['id', 'label', 'tags'],
  );
}

function createVolume(call: Call): JsonObject {
  const { cloud, body } = call;
  const label = requireLabel(body, LABEL, otherLabels(cloud.volumes.values()));
  const linode = readLinode(call, false);
  const region = linode?.region ?? body.requiredString('region');
  if (region !== '' && !cloud.offers(region, 'Block Storage')) body.fail('region is not valid', 'region');
  const size = body.within('size', LEAST_SIZE, MOST_SIZE) ?? USUAL_SIZE;
  const tags = readTags(body) ?? [];
  const encryption = body.choice('encryption', ['enabled', 'disabled']) ?? 'enabled';
  body.check();
  return volumeView(
    cloud,
    addVolume(cloud, { label, region, size, tags, encryption, linode: linode?.id ?? null }),
  );
}

type NewVolume = Pick<Volume, 'label' | 'region' | 'size' | 'tags' | 'encryption' | 'linode'>;

function addVolume(cloud: Cloud, wanted: NewVolume): Volume {
  const now = cloud.now();
  const readyAt = now + cloud.clock.scaled(PREPARATION);
  const volume: Volume = {
    ...wanted,
    id: cloud.newId(),
    created: now,
    updated: now,
    pending: 'creating',
    readyAt,
  };
  useTags(cloud, volume.tags);
  cloud.volumes.set(volume.id, volume);
  cloud.notify('volume_create', volumeRef(volume));
  return volume;
}

function updateVolume(call: Call): JsonObject {
  const { cloud, body } = call;
  const volume = volumeOf(call);
  const label = readLabel(body, LABEL, otherLabels(cloud.volumes.values(), volume.id));
  const tags = readTags(body);
  body.check();
  volume.label = label ?? volume.label;
  if (tags !== undefined) volume.tags = useTags(cloud, tags);
  volume.updated = cloud.now();
  cloud.notify('volume_update', volumeRef(volume));
  return volumeView(cloud, volume);
}

function deleteVolume(call: Call): JsonObject {
  const { cloud } = call;
  const volume = volumeOf(call);
  cloud.volumes.delete(volume.id);
  cloud.notify('volume_delete', volumeRef(volume));
  return {};
}

function attachVolume(call: Call): JsonObject {
  const { cloud, body } = call;
  const volume = volumeOf(call);
  const linode = readLinode(call, true);
  if (volume.linode !== null) body.fail('Volume is already attached.');
  else if (linode !== undefined && linode.region !== volume.region) {
    body.fail('Volume must be in the same region as the Linode.', 'linode_id');
  }
  body.check();
  volume.linode = linode?.id ?? null;
  cloud.notify('volume_attach', volumeRef(volume));
  return volumeView(cloud, volume);
}

function detachVolume(call: Call): JsonObject {
  const volume = volumeOf(call);
  volume.linode = null;
  call.cloud.notify('volume_detach', volumeRef(volume));
  return {};
}

function resizeVolume(call: Call): JsonObject {
  const { cloud, body } = call;
  const volume = volumeOf(call);
  const size = body.within('size', LEAST_SIZE, MOST_SIZE);
  if (size === undefined) body.fail('size is required', 'size');
  else if (size < volume.size) body.fail('Volumes can only be made larger', 'size');
  body.check();
  volume.size = size ?? volume.size;
  volume.pending = 'resizing';
  volume.readyAt = cloud.now() + cloud.clock.scaled(PREPARATION);
  cloud.notify('volume_resize', volumeRef(volume));
  return volumeView(cloud, volume);
}

function cloneVolume(call: Call): JsonObject {
  const { cloud, body } = call;
  const { region, size, tags, encryption } = volumeOf(call);
  const label = requireLabel(body, LABEL, otherLabels(cloud.volumes.values()));
  body.check();
  return volumeView(
    cloud,
    addVolume(cloud, { label, region, size, tags: [...tags], encryption, linode: null }),
  );
}

function readLinode({ cloud, body }: Call, required: boolean): Linode | undefined {
  const id = required ? body.requiredInteger('linode_id') : body.integer('linode_id');
  const linode = cloud.linodes.get(id ?? 0);
  if (linode === undefined && id !== undefined && id !== 0) body.fail('Invalid Linode ID', 'linode_id');
  return linode;
}

function volumeOf(call: Call): Volume {
  return found(call.cloud.volumes.get(call.id('volume')));
}

function volumeRef(volume: Volume): EntityRef {
  return { id: volume.id, type: 'volume', label: volume.label, url: `/v4/volumes/${volume.id}` };
}
