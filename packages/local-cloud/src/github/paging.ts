import type { Call } from './router.js';

const MOST_PER_PAGE = 100;
const DEFAULT_PER_PAGE = 30;

/** One page of a list, with the `Link` header by which a client finds the others. */
export function page<T>(
  { base, query, repository }: Call,
  all: readonly T[],
  /** Path of the list below the repository. */
  list: string,
): { items: readonly T[]; headers: Record<string, string> } {
  const size = Math.min(numberIn(query, 'per_page', DEFAULT_PER_PAGE), MOST_PER_PAGE);
  const current = numberIn(query, 'page', 1);
  const last = Math.max(1, Math.ceil(all.length / size));
  const path = `${base}/repos/${repository.fullName}/${list}`;
  const link = (relation: string, number: number): string => {
    const asked = new URLSearchParams(query);
    asked.set('page', String(number));
    return `<${path}?${asked.toString()}>; rel="${relation}"`;
  };
  const links = [
    ...(current > 1 ? [link('prev', current - 1), link('first', 1)] : []),
    ...(current < last ? [link('next', current + 1), link('last', last)] : []),
  ];
  const items = all.slice((current - 1) * size, current * size);
  return { items, headers: links.length > 0 ? { link: links.join(', ') } : {} };
}

function numberIn(query: URLSearchParams, name: string, otherwise: number): number {
  const number = Number(query.get(name));
  return Number.isInteger(number) && number > 0 ? number : otherwise;
}
