import type { Image, LinodeReader, Region, RegionAvailability } from '@perlstack/linode';
import {
  isProvisioned,
  settingsOf,
  nearest,
  stackFault,
  type StackFile,
  TIERS,
  type UserError,
} from '@perlstack/stack';
import { desiredEntry } from './entry.js';
import { DEFAULT_TYPES } from './layout.js';
import type { Catalogue, TypeFacts } from './observed.js';
import { balancerMonthly, describeType, typeFacts } from './prices.js';

interface Need {
  readonly capability: string;
  readonly what: string;
}

/** What a region must have, in the API's words and in ours. */
const NEEDS: readonly Need[] = [
  { capability: 'VPCs', what: 'no VPCs' },
  { capability: 'Linode Interfaces', what: 'no Linode Interfaces' },
  { capability: 'Placement Group', what: 'no placement groups' },
  { capability: 'Metadata', what: 'no metadata service' },
  { capability: 'Cloud Firewall', what: 'no Cloud Firewalls' },
];

const needsOf = ({ stack }: StackFile): readonly Need[] =>
  desiredEntry(stack) ? [...NEEDS, { capability: 'NodeBalancers', what: 'no NodeBalancers' }] : NEEDS;

/**
 * Reads what Linode offers and holds the stack file against it.
 *
 * @throws UserError naming the place in the file: a region, a type or an image that there is not, that lacks something,
 *   or is not on sale there.
 */
export async function readCatalogue(reader: LinodeReader, file: StackFile): Promise<Catalogue> {
  const { stack } = file;
  // The list is public; a single image asks for a scope of its own.
  const [regions, types, images, balancers] = await Promise.all([
    reader.regions(),
    reader.types(),
    reader.images(),
    reader.nodeBalancerTypes(),
  ]);
  const region = checkedRegion(file, regions);
  const facts = types.map((type) => typeFacts(type, region.id));
  checkTypes(file, facts);
  checkSale(file, await reader.availability(region.id), facts);
  checkImage(
    file,
    images.find(({ id }) => id === stack.image),
  );
  return {
    region: { id: region.id, label: region.label, placementLimit: placementLimit(region) },
    types: facts,
    balancerMonthly: balancerMonthly(balancers, region.id),
  };
}

/** Flexible groups hold more; the key is newer than the package's types. */
function placementLimit({ placement_group_limits: limits }: Region): number {
  const flexible = (limits as { maximum_linodes_per_flexible_pg?: number }).maximum_linodes_per_flexible_pg;
  return flexible ?? limits.maximum_linodes_per_pg;
}

function checkedRegion(file: StackFile, regions: readonly Region[]): Region {
  const wanted = file.stack.region;
  const region = regions.find(({ id }) => id === wanted);
  if (!region) throw regionFault(file, unknownRegion(wanted, regions));
  const lack = needsOf(file).find(({ capability }) => !offers(region, capability));
  if (!lack) return region;
  const others = neighbours(region, regions.filter(isComplete));
  throw regionFault(
    file,
    `"${wanted}" (${region.label}) has ${lack.what}; regions that have all a stack needs, those of its country first: ${others.join(', ')}`,
  );
}

function unknownRegion(wanted: string, regions: readonly Region[]): string {
  const complete = regions.filter(isComplete);
  const near = nearest(
    wanted,
    complete.map(({ id }) => id),
    3,
  );
  const list = near.length > 0 ? near : complete.map(({ id }) => id);
  const named = list.map((id) => nameOf(complete.find((region) => region.id === id)));
  return `"${wanted}" is no Linode region; ${near.length > 0 ? 'nearest' : 'allowed'}: ${named.join(', ')}`;
}

const offers = ({ capabilities }: Region, capability: string): boolean =>
  (capabilities as string[]).includes(capability);
const isComplete = (region: Region): boolean => NEEDS.every(({ capability }) => offers(region, capability));
const nameOf = (region: Region | undefined): string => (region ? `${region.id} (${region.label})` : '');

/** Regions of the same country, then those whose ids begin alike, then the rest; at the most four. */
function neighbours(region: Region, others: readonly Region[]): string[] {
  const distance = (other: Region): number => (other.country === region.country ? 0 : 1);
  return [...others]
    .sort((a, b) => distance(a) - distance(b))
    .slice(0, 4)
    .map(nameOf);
}

function checkTypes(file: StackFile, types: readonly TypeFacts[]): void {
  for (const { path, type } of wantedTypes(file)) {
    if (types.some(({ id }) => id === type)) continue;
    const [near] = nearest(
      type,
      types.map(({ id }) => id),
    );
    const facts = types.find(({ id }) => id === (near ?? 'g6-standard-2'));
    const hint = facts ? `; ${near ? 'nearest' : 'such as'}: ${describeType(facts)}` : '';
    throw fault(file, path, `"${type}" is no Linode type${hint}`);
  }
}

function checkSale(file: StackFile, sales: readonly RegionAvailability[], types: readonly TypeFacts[]): void {
  // Only plans whose sale is restricted somewhere are listed.
  const soldOut = new Set(sales.filter(({ available }) => !available).map(({ plan }) => plan));
  for (const { path, type } of wantedTypes(file)) {
    if (!soldOut.has(type)) continue;
    const wanted = types.find(({ id }) => id === type);
    const instead = alternatives(
      wanted,
      types.filter(({ id }) => !soldOut.has(id)),
    );
    throw fault(
      file,
      path,
      `${type} is not on sale in ${file.stack.region} at present; instead: ${instead.join(', ')}; or another region`,
    );
  }
}

/** The cheapest types that are not smaller than the one wanted. */
function alternatives(wanted: TypeFacts | undefined, types: readonly TypeFacts[]): string[] {
  return types
    .filter(
      (type) =>
        type.monthly && type.memoryMiB >= (wanted?.memoryMiB ?? 0) && type.vcpus >= (wanted?.vcpus ?? 0),
    )
    .sort((a, b) => (a.monthly ?? 0) - (b.monthly ?? 0))
    .slice(0, 2)
    .map(describeType);
}

function checkImage(file: StackFile, image: Image | undefined): void {
  const { image: id } = file.stack;
  if (!image) throw fault(file, ['image'], `"${id}" is no image of Linode's`);
  if (image.status !== 'available') throw fault(file, ['image'], `${id} is ${image.status} at present`);
  if (!image.capabilities.includes('cloud-init')) {
    throw fault(file, ['image'], `${id} has no cloud-init, which the first boot of a host needs`);
  }
}

interface WantedType {
  readonly path: readonly string[];
  readonly type: string;
}

function wantedTypes({ stack }: StackFile): WantedType[] {
  return TIERS.filter((tier) => isProvisioned(stack, tier)).map((tier) => ({
    path: ['tiers', tier, 'type'],
    type: settingsOf(stack, tier)?.type ?? DEFAULT_TYPES[tier],
  }));
}

function regionFault(file: StackFile, what: string): UserError {
  return fault(file, ['region'], what);
}

/** A fault at a key of the stack file. */
export function fault(file: StackFile, path: readonly string[], what: string): UserError {
  return stackFault(file.locate(path), path.join('.'), what);
}
