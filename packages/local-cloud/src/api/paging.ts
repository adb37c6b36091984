import { badRequest, notFound } from './errors.js';
import type { JsonObject } from './json.js';

const LEAST_PAGE_SIZE = 25;
const MOST_PAGE_SIZE = 500;
const USUAL_PAGE_SIZE = 100;

/** One page of a collection in the API's envelope; `query` holds `page` and `page_size`. */
export function paginate(items: readonly JsonObject[], query: URLSearchParams): JsonObject {
  const page = wholeNumber(query.get('page'), 1);
  const size = wholeNumber(query.get('page_size'), USUAL_PAGE_SIZE);
  if (page < 1) throw badRequest('Must be 1 or greater', 'page');
  if (size < LEAST_PAGE_SIZE || size > MOST_PAGE_SIZE) {
    throw badRequest(`Must be ${LEAST_PAGE_SIZE}-${MOST_PAGE_SIZE}`, 'page_size');
  }
  const pages = Math.max(1, Math.ceil(items.length / size));
  if (page > pages) throw notFound();
  return { data: items.slice((page - 1) * size, page * size), page, pages, results: items.length };
}

function wholeNumber(given: string | null, otherwise: number): number {
  if (given === null || given === '') return otherwise;
  return /^\d+$/.test(given) ? Number(given) : 0;
}
