import { randomBytes } from 'node:crypto';
import { found, type Cloud } from './cloud.js';
import { stamp } from './clock.js';
import { ENDPOINT_TYPES, STORAGE_ENDPOINTS, type StorageEndpoint } from './data/endpoints.js';
import { badRequest, notFound } from './errors.js';
import type { Fields } from './fields.js';
import type { JsonObject } from './json.js';
import type { Acl, Bucket, BucketAccess, CannedAcl, EntityRef, OpenEndpoint, StorageKey } from './model.js';
import type { Call, Route } from './router.js';

const READ = 'object_storage:read_only';
const WRITE = 'object_storage:read_write';
const BUCKETS = '/object-storage/buckets';
const BUCKET = `${BUCKETS}/:region/:bucket`;
const ACCESS = `${BUCKET}/access`;
const KEYS = '/object-storage/keys';
const KEY = `${KEYS}/:key`;

/** Buckets and keys as the API tells of them; what S3 does with them is not known here. */
export const objectStorageRoutes: Route[] = [
  { method: 'GET', path: '/object-storage/endpoints', scopes: READ, handle: listEndpoints },
  { method: 'GET', path: BUCKETS, scopes: READ, handle: listBuckets },
  { method: 'POST', path: BUCKETS, scopes: WRITE, limit: 'object-storage', handle: createBucket },
  { method: 'GET', path: `${BUCKETS}/:region`, scopes: READ, handle: listBucketsOfRegion },
  { method: 'GET', path: BUCKET, scopes: READ, handle: (call) => bucketView(bucketOf(call)) },
  { method: 'DELETE', path: BUCKET, scopes: WRITE, handle: deleteBucket },
  { method: 'GET', path: ACCESS, scopes: READ, handle: (call) => accessView(bucketOf(call)) },
  { method: 'POST', path: ACCESS, scopes: WRITE, handle: setAccess },
  { method: 'PUT', path: ACCESS, scopes: WRITE, handle: setAccess },
  { method: 'GET', path: KEYS, scopes: READ, handle: listKeys },
  { method: 'POST', path: KEYS, scopes: WRITE, limit: 'object-storage', handle: createKey },
  { method: 'GET', path: KEY, scopes: READ, handle: (call) => keyView(keyOf(call)) },
  { method: 'PUT', path: KEY, scopes: WRITE, limit: 'object-storage', handle: updateKey },
  { method: 'DELETE', path: KEY, scopes: WRITE, limit: 'object-storage', handle: deleteKey },
];

const NO_REGION = 'The specified region was not found or does not support Object Storage.';
const NO_KEY = 'The specified access key was not found.';

/** Dots and dashes only between letters and digits, and never two of them together. */
const LABEL = /^(?=.{3,63}$)[a-z0-9]+(?:-[a-z0-9]+)*(?:\.[a-z0-9]+(?:-[a-z0-9]+)*)*$/;
const LABEL_REASON =
  'Bucket names must be between 3 and 63 characters, consist only of lowercase letters, numbers, . (period), and' +
  ' - (dash), start and end with a letter or number, and must not have adjacent . (period) and - (dash) characters.';

function listEndpoints(call: Call): JsonObject {
  return call.list(
    STORAGE_ENDPOINTS.map((endpoint) => ({ ...endpoint })),
    [],
  );
}

/** Where buckets can be in a region, which may be named by its cluster of old; in the order of the generations. */
function endpointsAt(cloud: Cloud, place: string): OpenEndpoint[] {
  return STORAGE_ENDPOINTS.filter(isOpen).filter(
    (one) => (one.region === place || clusterOf(one) === place) && cloud.offers(one.region, 'Object Storage'),
  );
}

function isOpen(endpoint: StorageEndpoint): endpoint is OpenEndpoint {
  return endpoint.s3_endpoint !== null;
}

/** Endpoints had clusters before they had types; the newer types can't do CORS either. */
function isOld({ endpoint_type: type }: StorageEndpoint): boolean {
  return type === 'E0' || type === 'E1';
}

function clusterOf(endpoint: OpenEndpoint): string | undefined {
  return isOld(endpoint) ? endpoint.s3_endpoint.split('.')[0] : undefined;
}

function bucketView({ label, endpoint, size, objects, created }: Bucket): JsonObject {
  return {
    hostname: `${label}.${endpoint.s3_endpoint}`,
    label,
    created: stamp(created),
    region: endpoint.region,
    cluster: clusterOf(endpoint) ?? '',
    size,
    objects,
    endpoint_type: endpoint.endpoint_type,
    s3_endpoint: endpoint.s3_endpoint,
  };
}

function listBuckets(call: Call): JsonObject {
  return call.list([...call.cloud.buckets.values()].map(bucketView), []);
}

function listBucketsOfRegion(call: Call): JsonObject {
  const region = regionOf(call);
  const buckets = [...call.cloud.buckets.values()].filter(({ endpoint }) => endpoint.region === region);
  return call.list(buckets.map(bucketView), []);
}

/** What the account has under the same label at the same endpoint is answered as if it had just been made. */
function createBucket(call: Call): JsonObject {
  const { cloud, body } = call;
  const label = readBucketLabel(body);
  const endpoints = readEndpoints(cloud, body);
  const acl = body.choice('acl', CANNED_ACLS) ?? 'private';
  const corsEnabled = body.boolean('cors_enabled') ?? false;
  const name = bucketName(endpoints[0]?.region ?? '', label);
  const namesake = cloud.buckets.get(name);
  const own = namesake !== undefined && endpoints.includes(namesake.endpoint) ? namesake : undefined;
  if (own === undefined && (namesake !== undefined || cloud.strangersBuckets.has(name))) {
    body.fail('Bucket name is taken in this region', 'label');
  }
  body.check();
  return bucketView(own ?? addBucket(cloud, { label, endpoint: found(endpoints[0]), acl, corsEnabled }));
}

type NewBucket = Pick<Bucket, 'label' | 'endpoint' | 'acl' | 'corsEnabled'>;

function addBucket(cloud: Cloud, wanted: NewBucket): Bucket {
  const bucket = { ...wanted, objects: 0, size: 0, created: cloud.now() };
  cloud.buckets.set(bucketName(wanted.endpoint.region, wanted.label), bucket);
  return bucket;
}

/** The fault is called by the name that S3 has for the label. */
function readBucketLabel(body: Fields): string {
  const label = body.requiredString('label');
  if (isText(body, 'label') && !LABEL.test(label)) body.fail(LABEL_REASON, 'name');
  return label;
}

/** Other things than texts are faults already. */
function isText(fields: Fields, name: string): boolean {
  return typeof fields.raw(name) === 'string';
}

/** The endpoints that fit the request, of which the oldest generation's comes first. */
function readEndpoints(cloud: Cloud, body: Fields): OpenEndpoint[] {
  const region = body.requiredString('region');
  const type = body.choice('endpoint_type', ENDPOINT_TYPES);
  const host = body.string('s3_endpoint');
  const here = endpointsAt(cloud, region);
  const fitting = here.filter(
    (one) =>
      (type === undefined || one.endpoint_type === type) && (host === undefined || one.s3_endpoint === host),
  );
  if (here.length === 0 && isText(body, 'region')) body.fail(NO_REGION, 'region');
  if (here.length > 0 && fitting.length === 0) {
    body.fail('The region has no such endpoint', type === undefined ? 's3_endpoint' : 'endpoint_type');
  }
  return fitting;
}

function deleteBucket(call: Call): JsonObject {
  const bucket = bucketOf(call);
  if (bucket.objects > 0) throw badRequest('Bucket must be empty to be deleted.');
  call.cloud.buckets.delete(bucketName(bucket.endpoint.region, bucket.label));
  return {};
}

function bucketOf(call: Call): Bucket {
  return found(call.cloud.buckets.get(bucketName(regionOf(call), call.param('bucket'))));
}

/** The region that a path names. */
function regionOf(call: Call): string {
  const [endpoint] = endpointsAt(call.cloud, call.param('region'));
  if (endpoint === undefined) throw notFound(NO_REGION);
  return endpoint.region;
}

function bucketName(region: string, label: string): string {
  return `${region}/${label}`;
}

/** The account as its buckets know it. */
const OWNER_ID = '3b0f6a52-6f2d-4c1e-9d57-8a4e1c7b2f90';

const EVERYBODY = 'AllUsers';
const CANNED_ACLS = ['private', 'public-read', 'authenticated-read', 'public-read-write'] as const;
const ACLS = [...CANNED_ACLS, 'custom'] as const;

/** Who but the owner may do what. */
const GRANTS: Readonly<Record<CannedAcl, readonly (readonly [string, string])[]>> = {
  private: [],
  'public-read': [[EVERYBODY, 'READ']],
  'authenticated-read': [['AuthenticatedUsers', 'READ']],
  'public-read-write': [
    [EVERYBODY, 'READ'],
    [EVERYBODY, 'WRITE'],
  ],
};

const CORS_XML =
  '<CORSConfiguration><CORSRule>' +
  ['GET', 'PUT', 'POST', 'DELETE', 'HEAD'].map((name) => `<AllowedMethod>${name}</AllowedMethod>`).join('') +
  '<AllowedOrigin>*</AllowedOrigin><AllowedHeader>*</AllowedHeader></CORSRule></CORSConfiguration>';

function accessView({ acl, corsEnabled, endpoint }: Bucket): JsonObject {
  const cors = isOld(endpoint) ? corsEnabled : null;
  return { acl, acl_xml: aclXml(acl), cors_enabled: cors, cors_xml: cors === true ? CORS_XML : null };
}

function aclXml(acl: Acl): string {
  const owner = `<ID>${OWNER_ID}</ID><DisplayName>${OWNER_ID}</DisplayName>`;
  const grants = acl === 'custom' ? [] : GRANTS[acl];
  const groups = grants.map(([group, permission]) =>
    grantXml('Group', `<URI>http://acs.amazonaws.com/groups/global/${group}</URI>`, permission),
  );
  const list = [...groups, grantXml('CanonicalUser', owner, 'FULL_CONTROL')].join('');
  return (
    '<AccessControlPolicy xmlns="http://s3.amazonaws.com/doc/2006-03-01/">' +
    `<Owner>${owner}</Owner><AccessControlList>${list}</AccessControlList></AccessControlPolicy>`
  );
}

function grantXml(type: string, grantee: string, permission: string): string {
  const attributes = `xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="${type}"`;
  return `<Grant><Grantee ${attributes}>${grantee}</Grantee><Permission>${permission}</Permission></Grant>`;
}

/** POST and PUT do the same: both leave alone what is not named. */
function setAccess(call: Call): JsonObject {
  const { body } = call;
  const bucket = bucketOf(call);
  const acl = body.choice('acl', ACLS);
  const corsEnabled = body.boolean('cors_enabled');
  body.check();
  bucket.acl = acl ?? bucket.acl;
  bucket.corsEnabled = corsEnabled ?? bucket.corsEnabled;
  return {};
}

/** What stands for a secret after the answer that made the key. */
const REDACTED = '[REDACTED]';

/** Keys without a list of regions are good for those that had Object Storage before there were such lists. */
const USUAL_REGIONS = STORAGE_ENDPOINTS.filter(isOld).map(({ region }) => region);

function keyView(key: StorageKey, secret = REDACTED): JsonObject {
  return {
    id: key.id,
    label: key.label,
    access_key: key.accessKey,
    secret_key: secret,
    limited: key.access !== null,
    bucket_access: key.access?.map(bucketAccessView) ?? null,
    regions: STORAGE_ENDPOINTS.filter(({ region }) => key.regions.includes(region)).map(
      ({ region, s3_endpoint, endpoint_type }) => ({ id: region, s3_endpoint, endpoint_type }),
    ),
  };
}

function bucketAccessView({ bucket, permissions }: BucketAccess): JsonObject {
  return {
    cluster: clusterOf(bucket.endpoint) ?? '',
    bucket_name: bucket.label,
    permissions,
    region: bucket.endpoint.region,
  };
}

function listKeys(call: Call): JsonObject {
  return call.list(
    [...call.cloud.storageKeys.values()].map((key) => keyView(key)),
    [],
  );
}

/** The regions of a limited key's buckets are the key's, whether it names them or not. */
function createKey(call: Call): JsonObject {
  const { cloud, body } = call;
  const label = body.requiredString('label');
  const access = readBucketAccess(cloud, body) ?? null;
  const named = readRegions(cloud, body);
  body.check();
  const regions = access === null ? (named ?? USUAL_REGIONS) : [...(named ?? []), ...regionsOf(access)];
  const key: StorageKey = { id: cloud.newId(), label, accessKey: newAccessKey(), access, regions };
  cloud.storageKeys.set(key.id, key);
  cloud.notify('obj_access_key_create', keyRef(key));
  return keyView(key, newSecret());
}

function newAccessKey(): string {
  return randomBytes(10).toString('hex').toUpperCase();
}

function newSecret(): string {
  return randomBytes(30).toString('base64url');
}

/** An empty list makes a key that is limited to nothing, none at all one that is not limited. */
function readBucketAccess(cloud: Cloud, body: Fields): BucketAccess[] | undefined {
  return body.objects('bucket_access')?.flatMap((one) => {
    const bucket = readBucket(cloud, one);
    const permissions = one.choice('permissions', ['read_write', 'read_only']);
    if ((one.raw('permissions') ?? null) === null) one.fail('permissions is required', 'permissions');
    return bucket === undefined || permissions === undefined ? [] : [{ bucket, permissions }];
  });
}

function readBucket(cloud: Cloud, fields: Fields): Bucket | undefined {
  const label = fields.requiredString('bucket_name');
  // Older clients know only clusters.
  const place = fields.has('cluster') && !fields.has('region') ? 'cluster' : 'region';
  const [endpoint] = endpointsAt(cloud, fields.requiredString(place));
  if (endpoint === undefined) {
    if (isText(fields, place)) fields.fail(NO_REGION, place);
    return undefined;
  }
  const bucket = cloud.buckets.get(bucketName(endpoint.region, label));
  if (bucket === undefined && isText(fields, 'bucket_name')) {
    fields.fail('The specified bucket was not found.', 'bucket_name');
  }
  return bucket;
}

function readRegions(cloud: Cloud, body: Fields): string[] | undefined {
  return body.strings('regions')?.flatMap((place, index) => {
    const [endpoint] = endpointsAt(cloud, place);
    if (endpoint === undefined) body.fail(NO_REGION, `regions[${index}]`);
    return endpoint?.region ?? [];
  });
}

function regionsOf(access: readonly BucketAccess[]): string[] {
  return access.map(({ bucket }) => bucket.endpoint.region);
}

/** New regions take the place of all old ones; a limited key can't leave those of its buckets. */
function updateKey(call: Call): JsonObject {
  const { cloud, body } = call;
  const key = keyOf(call);
  const label = body.string('label');
  const regions = readRegions(cloud, body);
  if (regions !== undefined && !regionsOf(key.access ?? []).every((one) => regions.includes(one))) {
    body.fail('The regions of bucket_access cannot be removed', 'regions');
  }
  body.check();
  key.label = label ?? key.label;
  key.regions = regions ?? key.regions;
  cloud.notify('obj_access_key_update', keyRef(key));
  return keyView(key);
}

function deleteKey(call: Call): JsonObject {
  const { cloud } = call;
  const key = keyOf(call);
  cloud.storageKeys.delete(key.id);
  cloud.notify('obj_access_key_delete', keyRef(key));
  return {};
}

function keyOf(call: Call): StorageKey {
  const key = call.cloud.storageKeys.get(call.id('key'));
  if (key === undefined) throw notFound(NO_KEY);
  return key;
}

function keyRef({ id, label }: StorageKey): EntityRef {
  return { id, type: 'object_storage_key', label, url: `/v4/object-storage/keys/${id}` };
}
