import { found, type Cloud } from './cloud.js';
import { badRequest, busy } from './errors.js';
import type { Fields } from './fields.js';
import type { JsonObject } from './json.js';
import { otherLabels, PLACEMENT_GROUP_LABEL, readLabel, requireLabel } from './labels.js';
import type { EntityRef, Linode, PlacementGroup } from './model.js';
import type { Call, Route } from './router.js';

const FILTERABLE = [
  'id',
  'label',
  'placement_group_type',
  'placement_group_policy',
  'region',
  'is_compliant',
];
const READ = 'linodes:read_only';
const WRITE = 'linodes:read_write';
const BASE = '/placement/groups';
const ONE = `${BASE}/:group`;

export const placementRoutes: Route[] = [
  { method: 'GET', path: BASE, scopes: READ, handle: listGroups },
  { method: 'POST', path: BASE, scopes: WRITE, handle: createGroup },
  { method: 'GET', path: ONE, scopes: READ, handle: (call) => groupView(call.cloud, groupOf(call)) },
  { method: 'PUT', path: ONE, scopes: WRITE, handle: updateGroup },
  { method: 'DELETE', path: ONE, scopes: WRITE, handle: deleteGroup },
  { method: 'POST', path: `${ONE}/assign`, scopes: WRITE, handle: assign },
  { method: 'POST', path: `${ONE}/unassign`, scopes: WRITE, handle: unassign },
];

/** The group that a new Linode is to be in: `placement_group: {id}`. */
export function readMembership(cloud: Cloud, body: Fields, region: string): number | null {
  const fields = body.object('placement_group');
  if (fields === undefined) return null;
  const id = fields.requiredInteger('id');
  const group = cloud.placementGroups.get(id);
  if (group === undefined) {
    if (id !== 0) fields.fail('Invalid placement group ID', 'id');
    return null;
  }
  const problem = whyNotJoin(cloud, group, region, 1);
  if (problem !== undefined) fields.fail(problem, 'id');
  return id;
}

function groupView(cloud: Cloud, group: PlacementGroup): JsonObject {
  return {
    id: group.id,
    label: group.label,
    region: group.region,
    placement_group_type: group.type,
    placement_group_policy: group.policy,
    is_compliant: true,
    members: membersOf(cloud, group).map(({ id }) => ({ linode_id: id, is_compliant: true })),
    migrations: null,
  };
}

function listGroups(call: Call): JsonObject {
  const { cloud } = call;
  return call.list(
    [...cloud.placementGroups.values()].map((group) => groupView(cloud, group)),
    FILTERABLE,
  );
}

function createGroup(call: Call): JsonObject {
  const { cloud, body } = call;
  const label = requireLabel(body, PLACEMENT_GROUP_LABEL, otherLabels(cloud.placementGroups.values()));
  const region = body.requiredString('region');
  const type = body.choice('placement_group_type', ['anti_affinity:local']);
  const policy = body.choice('placement_group_policy', ['strict', 'flexible']);
  for (const name of ['placement_group_type', 'placement_group_policy']) {
    if (!body.has(name)) body.fail(`${name} is required`, name);
  }
  if (region !== '' && cloud.region(region) === undefined) body.fail('region is not valid', 'region');
  else if (region !== '' && !cloud.offers(region, 'Placement Group')) {
    body.fail('Placement groups are not supported in this region', 'region');
  }
  body.check();
  const kind = type ?? 'anti_affinity:local';
  const group: PlacementGroup = { id: cloud.newId(), label, region, type: kind, policy: policy ?? 'strict' };
  cloud.placementGroups.set(group.id, group);
  cloud.notify('placement_group_create', groupRef(group));
  return groupView(cloud, group);
}

function updateGroup(call: Call): JsonObject {
  const { cloud, body } = call;
  const group = groupOf(call);
  const label = readLabel(body, PLACEMENT_GROUP_LABEL, otherLabels(cloud.placementGroups.values(), group.id));
  body.check();
  group.label = label ?? group.label;
  cloud.notify('placement_group_update', groupRef(group));
  return groupView(cloud, group);
}

function deleteGroup(call: Call): JsonObject {
  const { cloud } = call;
  const group = groupOf(call);
  if (membersOf(cloud, group).length > 0) {
    throw badRequest('Placement group cannot be deleted while Linodes are assigned to it.');
  }
  cloud.placementGroups.delete(group.id);
  cloud.notify('placement_group_delete', groupRef(group));
  return {};
}

function assign(call: Call): JsonObject {
  const { cloud } = call;
  const group = groupOf(call);
  const linodes = readLinodes(call);
  if (linodes.some((linode) => cloud.busy(linode))) throw busy();
  const problem =
    linodes.map((linode) => whyNotJoin(cloud, group, linode.region, linodes.length)).find(Boolean) ??
    linodes.map((linode) => whyNotMove(group, linode)).find(Boolean);
  if (problem !== undefined) throw badRequest(problem, 'linodes');
  for (const linode of linodes) linode.placementGroup = group.id;
  cloud.notify('placement_group_assign', groupRef(group));
  return groupView(cloud, group);
}

function unassign(call: Call): JsonObject {
  const { cloud } = call;
  const group = groupOf(call);
  const linodes = readLinodes(call);
  if (linodes.some((linode) => linode.placementGroup !== group.id)) {
    throw badRequest('Linode is not assigned to this placement group.', 'linodes');
  }
  for (const linode of linodes) linode.placementGroup = null;
  cloud.notify('placement_group_unassign', groupRef(group));
  return groupView(cloud, group);
}

function readLinodes({ cloud, body }: Call): Linode[] {
  const ids = body.integers('linodes');
  if (ids === undefined || ids.length === 0) body.fail('linodes is required', 'linodes');
  const linodes = (ids ?? []).flatMap((id) => cloud.linodes.get(id) ?? []);
  if (linodes.length !== (ids ?? []).length) body.fail('Invalid Linode ID', 'linodes');
  body.check();
  return linodes;
}

function whyNotMove(group: PlacementGroup, linode: Linode): string | undefined {
  if (linode.placementGroup === null || linode.placementGroup === group.id) return undefined;
  return `Linode ${linode.id} is already assigned to a placement group.`;
}

function whyNotJoin(
  cloud: Cloud,
  group: PlacementGroup,
  region: string,
  joining: number,
): string | undefined {
  if (group.region !== region) return 'Placement group must be in the same region as the Linode.';
  const limits = cloud.region(region)?.placement_group_limits;
  const most =
    group.policy === 'strict' ? limits?.maximum_linodes_per_pg : limits?.maximum_linodes_per_flexible_pg;
  if (membersOf(cloud, group).length + joining <= (most ?? 0)) return undefined;
  return `Placement group may have at most ${most ?? 0} Linodes.`;
}

function membersOf(cloud: Cloud, group: PlacementGroup): Linode[] {
  return [...cloud.linodes.values()].filter((linode) => linode.placementGroup === group.id);
}

function groupOf(call: Call): PlacementGroup {
  return found(call.cloud.placementGroups.get(call.id('group')));
}

function groupRef(group: PlacementGroup): EntityRef {
  return {
    id: group.id,
    type: 'placement_group',
    label: group.label,
    url: `/v4/placement/groups/${group.id}`,
  };
}
