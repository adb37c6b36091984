import { markdownTable } from '@perlstack/action';
import { type Bill, dollars } from '@perlstack/provision';
import type { Step } from '@perlstack/procedure';

const CHANGES = { create: 'create', keep: '', delete: 'delete' } as const;

/** The bill of a plan: every server with its price, then the sum and the difference. */
export function billTable({ lines, before, after, delta }: Bill): string {
  const rows = lines.map(({ label, type, change, monthly }) => [
    label,
    type,
    CHANGES[change],
    monthly === null ? 'no monthly price' : dollars(monthly),
  ]);
  const sums = [
    ['Before', '', '', dollars(before)],
    ['After', '', '', dollars(after)],
    ['Difference', '', '', differenceOf(delta)],
  ];
  return markdownTable(['Server', 'Type', 'Change', 'USD a month'], [...rows, ...sums], ['l', 'l', 'l', 'r']);
}

/** `+$12`, `-$5`, `none`. */
export function differenceOf(delta: number): string {
  if (delta === 0) return 'none';
  return `${delta > 0 ? '+' : '-'}${dollars(Math.abs(delta))}`;
}

/** The steps of a plan, in their order. */
export function stepsTable(steps: readonly Step[]): string {
  return markdownTable(
    ['Server', 'Step'],
    steps.map(({ host, title }) => [host ?? '', title]),
  );
}

/** Where the domains of a stack have to point. */
export function entrySentence(domains: readonly string[], addresses: readonly string[]): string {
  const names = domains.length > 0 ? domains.join(', ') : 'The domains';
  const point = domains.length === 1 ? 'points' : 'point';
  return `${names} ${point} to ${addresses.join(' and ')}.`;
}
