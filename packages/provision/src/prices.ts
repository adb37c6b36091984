import type { LinodeType, PriceType } from '@perlstack/linode';
import type { TypeFacts } from './observed.js';

/** Linode's month, for types that have only a price by the hour. */
const HOURS_A_MONTH = 730;

/** A type as it is sold in one region. */
export function typeFacts(type: LinodeType, region: string): TypeFacts {
  const { id, memory, vcpus } = type;
  return { id, memoryMiB: memory, vcpus, monthly: monthlyIn(type, region) };
}

/** What a NodeBalancer of the common kind costs a month in a region; `null` where Linode names no price. */
export function balancerMonthly(types: readonly PriceType[], region: string): number | null {
  const common = types.find(({ id }) => id === 'nodebalancer');
  return common ? monthlyIn(common, region) : null;
}

/** What Object Storage costs an account a month that has a bucket in a region; `null` where Linode names no price. */
export function storageMonthly(types: readonly PriceType[], region: string): number | null {
  const flat = types.find(({ id }) => id === 'objectstorage');
  return flat ? monthlyIn(flat, region) : null;
}

function monthlyIn(
  { price, region_prices }: Pick<PriceType, 'price' | 'region_prices'>,
  region: string,
): number | null {
  const { monthly, hourly } = region_prices.find((one) => one.id === region) ?? price;
  const byHour = hourly === null ? null : Math.round(hourly * HOURS_A_MONTH * 100) / 100;
  return monthly ?? byHour;
}

/** `$24`, `$51.10`; `price unknown` for `null`. */
export function dollars(amount: number | null): string {
  if (amount === null) return 'price unknown';
  const size = Math.abs(amount);
  return `${amount < 0 ? '-' : ''}$${Number.isInteger(size) ? size : size.toFixed(2)}`;
}

/** `g6-standard-2 (2 vCPU, 4 GB, $24 a month)` */
export function describeType({ id, vcpus, memoryMiB, monthly }: TypeFacts): string {
  return `${id} (${vcpus} vCPU, ${memoryMiB / 1024} GB, ${dollars(monthly)}${monthly === null ? '' : ' a month'})`;
}
