import type { DesiredTier } from './layout.js';
import type { Catalogue, ObservedBalancer, ObservedLinode } from './observed.js';

/** One Linode on the bill, the NodeBalancer, or the storage of the backups. */
export interface BillLine {
  /** Of the Linode, the NodeBalancer or the bucket. */
  readonly label: string;
  /** Of the NodeBalancer `entry`, of the bucket `backups`. */
  readonly tier: string;
  /** Of the NodeBalancer `NodeBalancer`, of the bucket `Object Storage`. */
  readonly type: string;
  readonly change: 'create' | 'keep' | 'delete';
  /** USD a month; `null` where Linode names no price. */
  readonly monthly: number | null;
}

/** USD a month; lines without a price are left out and counted. */
export interface Bill {
  readonly lines: readonly BillLine[];
  readonly before: number;
  readonly after: number;
  readonly delta: number;
  /** How many lines have no price. */
  readonly unpriced: number;
}

/** The bill of lines; networks, firewalls and placement groups cost nothing. */
export function billOf(lines: readonly BillLine[]): Bill {
  const sum = (...changes: BillLine['change'][]): number => {
    const cents = lines
      .filter(({ change }) => changes.includes(change))
      .map(({ monthly }) => Math.round((monthly ?? 0) * 100));
    return cents.reduce((total, one) => total + one, 0) / 100;
  };
  const before = sum('keep', 'delete');
  const after = sum('keep', 'create');
  const delta = Math.round((after - before) * 100) / 100;
  return { lines, before, after, delta, unpriced: lines.filter(({ monthly }) => monthly === null).length };
}

/** A line for each Linode that is wanted or exists. */
export function billLines(
  tiers: readonly DesiredTier[],
  linodes: readonly ObservedLinode[],
  catalogue: Pick<Catalogue, 'types'>,
): BillLine[] {
  const price = (type: string): number | null =>
    catalogue.types.find(({ id }) => id === type)?.monthly ?? null;
  const line = (label: string, tier: string, type: string, change: BillLine['change']): BillLine => {
    return { label, tier, type, change, monthly: price(type) };
  };
  const wanted = tiers.flatMap(({ tier, type, hosts }) =>
    hosts.map(({ label }) => {
      const existing = linodes.find((linode) => linode.label === label);
      return line(label, tier, existing?.type ?? type, existing ? 'keep' : 'create');
    }),
  );
  const surplus = linodes.filter(({ label }) => !wanted.some((one) => one.label === label));
  return [...wanted, ...surplus.map(({ label, tier, type }) => line(label, tier, type ?? '', 'delete'))];
}

/** The line of the NodeBalancer that is wanted, and those of NodeBalancers that are not. */
export function entryLines(
  wanted: string | null,
  existing: readonly Pick<ObservedBalancer, 'label'>[],
  { balancerMonthly: monthly }: Pick<Catalogue, 'balancerMonthly'>,
): BillLine[] {
  const labels = existing.map(({ label }) => label);
  const line = (label: string, change: BillLine['change']): BillLine => {
    return { label, tier: 'entry', type: 'NodeBalancer', change, monthly };
  };
  return [
    ...(wanted === null ? [] : [line(wanted, labels.includes(wanted) ? 'keep' : 'create')]),
    ...labels.filter((label) => label !== wanted).map((label) => line(label, 'delete')),
  ];
}
