import {
  grants,
  type LinodeReader,
  type ObjectStorageBucket,
  type ObjectStorageEndpoint,
} from '@perlstack/linode';
import { endpointOf, type Stack, type StackFile } from '@perlstack/stack';
import type { BillLine } from './bill.js';
import { fault } from './catalogue.js';
import { checkScopes } from './checks.js';
import type { Observed, ObservedBucket } from './observed.js';
import { dollars, storageMonthly } from './prices.js';
import { type CreateBucket, stepId } from './steps.js';

/** All endpoints of Linode's are below it; any other is somebody else's, with a bill of its own. */
const LINODE_DOMAIN = '.linodeobjects.com';

const SCOPE = 'object_storage';

/** Where the stack's backups go, if that is a bucket at Linode. */
function bucketAtLinode({ backups, region }: Pick<Stack, 'backups' | 'region'>) {
  if (!backups) return null;
  const { host } = new URL(endpointOf({ backups, region }));
  return host.endsWith(LINODE_DOMAIN) ? { label: backups.bucket, host } : null;
}

/**
 * Looks for the bucket of the backups. A token that may not look at Object Storage is no fault: the bucket can be made by hand.
 *
 * @throws UserError for an endpoint that Linode has not, and for a token that may look but not make what is missing
 */
export async function readBucket(
  reader: LinodeReader,
  file: StackFile,
  purpose: 'plan' | 'apply',
): Promise<ObservedBucket | null> {
  const wanted = bucketAtLinode(file.stack);
  if (!wanted) return null;
  const { label, host } = wanted;
  const prices = await reader.storageTypes();
  if (!mayLook(reader)) return { label, monthly: storageMonthly(prices, file.stack.region), place: null };
  const { region, endpoint_type: endpointType } = endpointAt(file, host, await reader.storageEndpoints());
  const exists = (await findBucket(reader, { label, region, endpointType })) !== undefined;
  if (!exists && !isLocked(file.stack)) checkScopes(reader, purpose, [SCOPE]);
  return { label, monthly: storageMonthly(prices, region), place: { region, endpointType, exists } };
}

/**
 * The bucket that stays when the stack goes; `null` when there is none. An endpoint that Linode has not keeps nobody from
 * removing the rest.
 */
export async function readBucketThatStays(
  reader: LinodeReader,
  stack: Pick<Stack, 'backups' | 'region'>,
): Promise<ObservedBucket | null> {
  const wanted = bucketAtLinode(stack);
  if (!wanted) return null;
  const { label, host } = wanted;
  const monthly = storageMonthly(await reader.storageTypes(), stack.region);
  if (!mayLook(reader)) return { label, monthly, place: null };
  const found = (await reader.buckets()).find((one) => one.label === label && one.s3_endpoint === host);
  if (!found) return null;
  const { region, endpoint_type: endpointType = '' } = found;
  return { label, monthly, place: { region, endpointType, exists: true } };
}

function mayLook(reader: LinodeReader): boolean {
  const has = reader.scopes();
  return has === null || grants(has, `${SCOPE}:read_only`);
}

/** One whose name the account learns by its first bucket there (`null`) is known by its city, which all names begin with. */
function endpointAt(
  file: StackFile,
  host: string,
  endpoints: readonly ObjectStorageEndpoint[],
): ObjectStorageEndpoint {
  const found =
    endpoints.find((one) => one.s3_endpoint === host) ??
    endpoints.find((one) => one.s3_endpoint === null && cityOf(one.region) === cityOf(host));
  if (found) return found;
  const { region, backups } = file.stack;
  const isHere = (one: ObjectStorageEndpoint): number => Number(one.region === region);
  const names = [...endpoints]
    .sort((a, b) => isHere(b) - isHere(a) || a.region.localeCompare(b.region))
    .flatMap((one) => (one.s3_endpoint === null ? [] : [`https://${one.s3_endpoint}`]));
  throw fault(
    file,
    ['backups', ...(backups?.endpoint === undefined ? [] : ['endpoint'])],
    `${host} is no endpoint of Linode's Object Storage; name one as backups.endpoint, those of ${region} first: ${names.join(', ')}`,
  );
}

/** `us-ord` of the region `us-ord` and of `us-ord-10.linodeobjects.com`. */
const cityOf = (name: string): string => name.split(/[-.]/, 2).join('-');

/** Linode's API makes no bucket with Object Lock, and it cannot be switched on later. */
const isLocked = ({ backups }: Pick<Stack, 'backups'>): boolean => backups?.lock !== undefined;

/** A bucket of the account's; labels are unique at an endpoint only. */
export async function findBucket(
  reader: LinodeReader,
  { label, region, endpointType }: Pick<CreateBucket, 'label' | 'region' | 'endpointType'>,
): Promise<ObjectStorageBucket | undefined> {
  return (await reader.buckets()).find(
    (one) => one.label === label && one.region === region && one.endpoint_type === endpointType,
  );
}

/** Makes the bucket, if it is missing and the API can. */
export function bucketSteps({ stack }: StackFile, { bucket }: Pick<Observed, 'bucket'>): CreateBucket[] {
  if (!bucket?.place || bucket.place.exists || isLocked(stack)) return [];
  const { label, place } = bucket;
  const { region, endpointType } = place;
  const title = `create bucket ${label} in ${region} for backups`;
  return [{ id: stepId('create-bucket', label), kind: 'create-bucket', title, label, region, endpointType }];
}

/** The line of Object Storage. */
export function bucketLines({ bucket }: Pick<Observed, 'bucket'>): BillLine[] {
  if (!bucket) return [];
  const { label, monthly, place } = bucket;
  const change = place?.exists === false ? 'create' : 'keep';
  return [{ label, tier: 'backups', type: 'Object Storage', change, monthly }];
}

/** What a person should know of the bucket. */
export function bucketNotes({ stack }: StackFile, { bucket }: Pick<Observed, 'bucket'>): string[] {
  if (!bucket) return [];
  const { label, monthly, place } = bucket;
  const cost = `Object Storage costs ${dollars(monthly)} a month for the whole account, and more above 250 GB.`;
  if (!place) {
    return [
      `Whether the bucket ${label} exists is not known: the token has not the scope ${SCOPE}:read_only. ${cost}`,
    ];
  }
  if (place.exists) return [];
  if (!isLocked(stack)) return [cost];
  return [
    `The bucket ${label} is missing. It is to have Object Lock (backups.lock), with which Linode's API makes none: make it by S3. ${cost}`,
  ];
}

/** What is said when the rest of a stack goes: nothing here ever deletes a backup. */
export function staysNote({ bucket }: Pick<Observed, 'bucket'>): string[] {
  return bucket
    ? [`The bucket ${bucket.label} stays, with its backups, and is paid for as long as it is there.`]
    : [];
}
