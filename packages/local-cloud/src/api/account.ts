import { found, type Cloud } from './cloud.js';
import { stamp } from './clock.js';
import { eventView } from './events.js';
import type { JsonObject } from './json.js';
import { otherLabels } from './labels.js';
import type { EventRecord, SshKey } from './model.js';
import { NO_CONTENT, type Call, type Route } from './router.js';

const EVENT_FILTERABLE = [
  'action',
  'created',
  'entity.id',
  'entity.type',
  'id',
  'percent_complete',
  'rate',
  'read',
  'seen',
  'status',
  'time_remaining',
  'username',
];

const READ = 'account:read_only';
const WRITE = 'account:read_write';
const EVENTS = 'events:read_only';
const KEYS = '/profile/sshkeys';

export const accountRoutes: Route[] = [
  { method: 'GET', path: '/profile', scopes: '*', handle: (call) => profileView(call.cloud) },
  { method: 'PUT', path: '/profile', scopes: WRITE, handle: updateProfile },
  { method: 'GET', path: '/profile/grants', scopes: '*', handle: () => NO_CONTENT },
  { method: 'GET', path: KEYS, scopes: READ, handle: listKeys },
  { method: 'POST', path: KEYS, scopes: WRITE, handle: createKey },
  { method: 'GET', path: `${KEYS}/:key`, scopes: READ, handle: (call) => keyView(keyOf(call)) },
  { method: 'PUT', path: `${KEYS}/:key`, scopes: WRITE, handle: updateKey },
  { method: 'DELETE', path: `${KEYS}/:key`, scopes: WRITE, handle: deleteKey },
  { method: 'GET', path: '/account/settings', scopes: READ, handle: (call) => settingsView(call.cloud) },
  { method: 'PUT', path: '/account/settings', scopes: WRITE, handle: updateSettings },
  { method: 'GET', path: '/account/availability', scopes: READ, handle: listAvailability },
  { method: 'GET', path: '/account/transfer', scopes: READ, handle: transferView },
  { method: 'GET', path: '/account/maintenance', scopes: READ, handle: (call) => call.list([], []) },
  { method: 'GET', path: '/account/events', scopes: EVENTS, handle: listEvents },
  { method: 'GET', path: '/account/events/:event', scopes: EVENTS, handle: getEvent },
  { method: 'POST', path: '/account/events/:event/read', scopes: EVENTS, handle: markRead },
  { method: 'POST', path: '/account/events/:event/seen', scopes: EVENTS, handle: markSeen },
];

function profileView(cloud: Cloud): JsonObject {
  return {
    uid: 1,
    username: cloud.username,
    email: cloud.profile.email,
    verified_phone_number: null,
    timezone: cloud.profile.timezone,
    email_notifications: cloud.profile.emailNotifications,
    referrals: { code: '', url: '', total: 0, completed: 0, pending: 0, credit: 0 },
    ip_whitelist_enabled: false,
    lish_auth_method: 'password_keys',
    authorized_keys: null,
    two_factor_auth: true,
    restricted: false,
    authentication_type: 'password',
    user_type: 'default',
  };
}

function updateProfile(call: Call): JsonObject {
  const { cloud, body } = call;
  const { profile } = cloud;
  const email = body.string('email') ?? profile.email;
  const timezone = body.string('timezone') ?? profile.timezone;
  const emailNotifications = body.boolean('email_notifications') ?? profile.emailNotifications;
  body.check();
  Object.assign(profile, { email, timezone, emailNotifications });
  return profileView(cloud);
}

function settingsView(cloud: Cloud): JsonObject {
  const { settings } = cloud;
  return {
    managed: false,
    network_helper: settings.networkHelper,
    longview_subscription: null,
    backups_enabled: settings.backupsEnabled,
    object_storage: 'active',
    interfaces_for_new_linodes: settings.interfacesForNewLinodes,
    maintenance_policy: settings.maintenancePolicy,
  };
}

const GENERATION_SETTINGS = [
  'legacy_config_only',
  'legacy_config_default_but_linode_allowed',
  'linode_default_but_legacy_config_allowed',
  'linode_only',
] as const;

function updateSettings(call: Call): JsonObject {
  const { cloud, body } = call;
  const changes = {
    networkHelper: body.boolean('network_helper'),
    backupsEnabled: body.boolean('backups_enabled'),
    interfacesForNewLinodes: body.choice('interfaces_for_new_linodes', GENERATION_SETTINGS),
    maintenancePolicy: body.choice('maintenance_policy', ['linode/migrate', 'linode/power_off_on']),
  };
  body.check();
  const given = Object.entries(changes).filter(([, value]) => value !== undefined);
  Object.assign(cloud.settings, Object.fromEntries(given));
  return settingsView(cloud);
}

function listAvailability(call: Call): JsonObject {
  const services = ['Linodes', 'NodeBalancers', 'Block Storage', 'Kubernetes'];
  const items = call.cloud.regions.map(({ id, capabilities }) => ({
    region: id,
    available: services.filter((service) => capabilities.includes(service)),
    unavailable: [],
  }));
  return call.list(items, ['region']);
}

function transferView(): JsonObject {
  return { billable: 0, quota: 0, used: 0, region_transfers: [] };
}

/** Newest first; those of one second in the order they happened. */
function listEvents(call: Call): JsonObject {
  const { cloud } = call;
  const now = cloud.now();
  const second = (event: EventRecord): number => Math.floor(event.created / 1000);
  const events = cloud.events.toSorted((a, b) => second(b) - second(a) || a.id - b.id);
  return call.list(
    events.map((event) => eventView(event, cloud.username, now)),
    EVENT_FILTERABLE,
  );
}

function getEvent(call: Call): JsonObject {
  const { cloud } = call;
  return eventView(eventOf(call), cloud.username, cloud.now());
}

function markRead(call: Call): JsonObject {
  eventOf(call).read = true;
  return {};
}

/** All events up to this one count as seen. */
function markSeen(call: Call): JsonObject {
  const { id } = eventOf(call);
  for (const event of call.cloud.events) if (event.id <= id) event.seen = true;
  return {};
}

function eventOf(call: Call): EventRecord {
  const id = call.id('event');
  return found(call.cloud.events.find((event) => event.id === id));
}

function keyView(key: SshKey): JsonObject {
  return { id: key.id, label: key.label, ssh_key: key.key, created: stamp(key.created) };
}

function listKeys(call: Call): JsonObject {
  return call.list([...call.cloud.sshKeys.values()].map(keyView), ['id', 'label']);
}

function createKey(call: Call): JsonObject {
  const { cloud, body } = call;
  const label = body.requiredString('label');
  const text = body.requiredString('ssh_key');
  if (otherLabels(cloud.sshKeys.values()).includes(label))
    body.fail('Label must be unique among your SSH keys', 'label');
  body.check();
  const key = { id: cloud.newId(), label, key: text, created: cloud.now() };
  cloud.sshKeys.set(key.id, key);
  return keyView(key);
}

function updateKey(call: Call): JsonObject {
  const key = keyOf(call);
  const label = call.body.string('label');
  call.body.check();
  key.label = label ?? key.label;
  return keyView(key);
}

function deleteKey(call: Call): JsonObject {
  call.cloud.sshKeys.delete(keyOf(call).id);
  return {};
}

function keyOf(call: Call): SshKey {
  return found(call.cloud.sshKeys.get(call.id('key')));
}
