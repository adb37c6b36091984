import type { Cloud } from './cloud.js';
import { notFound } from './errors.js';
import type { JsonObject } from './json.js';
import { linodeView } from './linode-view.js';
import { balancerView } from './nodebalancers.js';
import type { Call, Route } from './router.js';
import { volumeView } from './volumes.js';

const READ = 'account:read_only';
const WRITE = 'account:read_write';

export const tagRoutes: Route[] = [
  { method: 'GET', path: '/tags', scopes: READ, handle: listTags },
  { method: 'POST', path: '/tags', scopes: WRITE, handle: createTag },
  { method: 'GET', path: '/tags/:tag', scopes: READ, handle: listTagged },
  { method: 'DELETE', path: '/tags/:tag', scopes: WRITE, handle: deleteTag },
];

interface Tagged {
  tags: string[];
}

function listTags(call: Call): JsonObject {
  const labels = [...call.cloud.tags].toSorted();
  return call.list(
    labels.map((label) => ({ label })),
    ['label'],
  );
}

function createTag(call: Call): JsonObject {
  const { cloud, body } = call;
  const label = body.requiredString('label');
  if (label !== '' && (label.length < 3 || label.length > 50))
    body.fail('Length must be 3-50 characters', 'label');
  const linodes = (body.integers('linodes') ?? []).map((id) => cloud.linodes.get(id));
  const balancers = (body.integers('nodebalancers') ?? []).map((id) => cloud.nodeBalancers.get(id));
  if (linodes.includes(undefined)) body.fail('Invalid Linode ID', 'linodes');
  if (balancers.includes(undefined)) body.fail('Invalid NodeBalancer ID', 'nodebalancers');
  body.check();
  cloud.tags.add(label);
  for (const thing of [...linodes, ...balancers])
    if (thing?.tags.includes(label) === false) thing.tags.push(label);
  cloud.notify('tag_create', { id: 0, type: 'tag', label, url: `/v4/tags/${label}` });
  return { label };
}

function listTagged(call: Call): JsonObject {
  const { cloud } = call;
  const tag = known(call);
  const linodes = having(cloud.linodes.values(), tag).map((one) => ({
    type: 'linode',
    data: linodeView(cloud, one),
  }));
  const balancers = having(cloud.nodeBalancers.values(), tag).map((one) => ({
    type: 'nodebalancer',
    data: balancerView(one),
  }));
  const volumes = having(cloud.volumes.values(), tag).map((one) => ({
    type: 'volume',
    data: volumeView(cloud, one),
  }));
  return call.list([...linodes, ...balancers, ...volumes], ['type']);
}

function deleteTag(call: Call): JsonObject {
  const { cloud } = call;
  const tag = known(call);
  cloud.tags.delete(tag);
  for (const thing of taggable(cloud)) thing.tags = thing.tags.filter((one) => one !== tag);
  cloud.notify('tag_delete', { id: 0, type: 'tag', label: tag, url: `/v4/tags/${tag}` });
  return {};
}

function taggable(cloud: Cloud): Tagged[] {
  const { linodes, nodeBalancers, firewalls, volumes, addresses } = cloud;
  return [linodes, nodeBalancers, firewalls, volumes, addresses].flatMap((things) => [...things.values()]);
}

function having<Thing extends Tagged>(things: Iterable<Thing>, tag: string): Thing[] {
  return [...things].filter((thing) => thing.tags.includes(tag));
}

function known(call: Call): string {
  const tag = call.param('tag');
  if (!call.cloud.tags.has(tag)) throw notFound();
  return tag;
}
