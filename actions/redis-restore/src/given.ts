import type { CacheTier } from '@perlstack/backup';
import { hostOfTier } from '@perlstack/backup-face';

const namesOf = ({ members }: CacheTier): string[] => members.map(({ host }) => host);

/** The server to restore on. @throws UserError for one that is none of the cache tier */
export function hostFrom(wanted: string | undefined, mode: string, tier: CacheTier): string {
  const names = namesOf(tier);
  if (wanted !== undefined) return hostOfTier(wanted, names, 'cache', 'host');
  return (mode === 'primary' ? names[0] : names.at(-1)) ?? '';
}

/** The servers whose old data may be moved aside. @throws UserError for one that is none of the cache tier */
export const replaceFrom = (text: string | undefined, tier: CacheTier): string[] =>
  (text ?? '')
    .split(/[\s,]+/)
    .filter(Boolean)
    .map((name) => hostOfTier(name, namesOf(tier), 'cache', 'replace'));
