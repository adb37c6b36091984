import { found } from './cloud.js';
import { IMAGES } from './data/images.js';
import { KERNELS } from './data/kernels.js';
import { NODEBALANCER_TYPES, STORAGE_TYPES, TRANSFER_PRICES, VOLUME_TYPES } from './data/prices.js';
import type { JsonObject } from './json.js';
import type { Call, Route } from './router.js';

const TYPE_FILTERABLE = [
  'class',
  'disk',
  'gpus',
  'id',
  'label',
  'memory',
  'network_out',
  'transfer',
  'vcpus',
];
const PRICE_FILTERABLE = ['id', 'label', 'price.hourly', 'price.monthly', 'transfer'];
const REGION_FILTERABLE = ['id', 'label', 'country', 'capabilities', 'status', 'site_type'];
const IMAGE_FILTERABLE = [
  'deprecated',
  'id',
  'is_public',
  'label',
  'size',
  'status',
  'tags',
  'type',
  'vendor',
];
const KERNEL_FILTERABLE = ['architecture', 'deprecated', 'id', 'kvm', 'label', 'pvops', 'version'];

/** What does not belong to the account; most of it answers without a token. */
export const catalogRoutes: Route[] = [
  open('/regions', (call) => call.list(call.cloud.regions.map(plain), REGION_FILTERABLE)),
  open('/regions/availability', listAvailability),
  open('/regions/:region', (call) => plain(found(call.cloud.region(call.param('region'))))),
  open('/regions/:region/availability', listAvailabilityOf),
  open('/linode/types', (call) => call.list(call.cloud.plans.map(plain), TYPE_FILTERABLE)),
  open('/linode/types/:type', (call) => plain(call.cloud.plan(call.param('type')))),
  open('/linode/kernels', (call) => call.list(KERNELS, KERNEL_FILTERABLE)),
  open('/linode/kernels/:kernel', (call) => found(KERNELS.find(({ id }) => id === call.param('kernel')))),
  open('/network-transfer/prices', (call) => call.list(TRANSFER_PRICES, PRICE_FILTERABLE)),
  open('/nodebalancers/types', (call) => call.list(NODEBALANCER_TYPES, PRICE_FILTERABLE)),
  open('/object-storage/types', (call) => call.list(STORAGE_TYPES, PRICE_FILTERABLE)),
  open('/volumes/types', (call) => call.list(VOLUME_TYPES, PRICE_FILTERABLE)),
  { method: 'GET', path: '/images', scopes: '*', limit: 'list-images', handle: listImages },
  { method: 'GET', path: '/images/:image', scopes: 'images:read_only', handle: getImage },
  { method: 'GET', path: '/images/linode/:image', scopes: 'images:read_only', handle: getImage },
];

function open(path: string, handle: Route['handle']): Route {
  return { method: 'GET', path, scopes: '*', open: true, handle };
}

function listImages(call: Call): JsonObject {
  return call.list(IMAGES.map(plain), IMAGE_FILTERABLE);
}

/** The id has a slash in it, which some clients escape and others do not. */
function getImage(call: Call): JsonObject {
  const id = call.param('image');
  return plain(found(IMAGES.find((image) => image.id === id || image.id === `linode/${id}`)));
}

function listAvailability(call: Call): JsonObject {
  return call.list(
    call.cloud.regions.flatMap(({ id }) => availability(call, id)),
    ['available', 'plan', 'region'],
  );
}

function listAvailabilityOf(call: Call): readonly JsonObject[] {
  return availability(call, found(call.cloud.region(call.param('region'))).id);
}

/** Like the real list, it names only plans that are not on sale everywhere. */
function availability(call: Call, region: string): JsonObject[] {
  const { cloud } = call;
  const limited = cloud.plans.filter(
    ({ id, class: kind }) => kind === 'premium' || soldOutSomewhere(call, id),
  );
  return limited.map((plan) => ({
    region,
    plan: plan.id,
    available:
      (plan.class !== 'premium' || cloud.offers(region, 'Premium Plans')) &&
      !cloud.faults.soldOut(region, plan.id),
  }));
}

function soldOutSomewhere(call: Call, plan: string): boolean {
  const { cloud } = call;
  return cloud.regions.some(({ id }) => cloud.faults.soldOut(id, plan));
}

/** Facts are typed; the API's answers are plain data. */
function plain(fact: object): JsonObject {
  return fact as JsonObject;
}
