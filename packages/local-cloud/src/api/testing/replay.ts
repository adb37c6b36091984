import { isList, isObject, type Json, type JsonObject } from '../json.js';
import { FULL_TOKEN, ManualClock, MemoryDriver, startApi, type LinodeApi } from '../index.js';
import type { Linode } from '../model.js';
import { Router } from '../router.js';
import { ROUTES } from '../server.js';
import { AddressBook } from './address-book.js';
import { barePath, type Exchange } from './recording.js';
import { seed } from './seeds.js';

/** What came of one recorded exchange. */
export type Outcome =
  | { readonly exchange: Exchange; readonly route: string; readonly skipped: string }
  | {
      readonly exchange: Exchange;
      readonly route: string;
      readonly skipped?: undefined;
      readonly status: number;
      readonly body: Json;
      readonly headers: Headers;
    };

const router = new Router(ROUTES);

/** `GET /linode/instances/:linode`, or `undefined` for what the API here does not know. */
export function routeOf(exchange: Exchange): string | undefined {
  const match = router.find(exchange.method, barePath(exchange.path));
  return typeof match === 'string' ? undefined : `${match.route.method} ${match.route.path}`;
}

/** Plays a conversation against an API of its own and returns what it answered. */
export async function replay(conversation: readonly Exchange[]): Promise<Outcome[]> {
  const clock = new ManualClock();
  const api = await startApi({ driver: new MemoryDriver(), clock });
  try {
    const player = new Player(api, clock);
    const outcomes: Outcome[] = [];
    for (const [index, exchange] of conversation.entries()) {
      outcomes.push(await player.play(exchange, conversation.slice(index + 1)));
    }
    return outcomes;
  } finally {
    await api.close();
  }
}

/** Keeps what the ids and addresses of the record stand for here. */
class Player {
  readonly #api: LinodeApi;
  readonly #clock: ManualClock;
  readonly #ids = new Map<number, number>();
  readonly #book: AddressBook;

  constructor(api: LinodeApi, clock: ManualClock) {
    this.#api = api;
    this.#clock = clock;
    this.#book = new AddressBook(api.state, this.#ids);
  }

  async play(exchange: Exchange, rest: readonly Exchange[]): Promise<Outcome> {
    const route = routeOf(exchange);
    const kind = route ?? `${exchange.method} ${kindOfPath(exchange.path)}`;
    if (route === undefined) return { exchange, route: kind, skipped: 'not simulated' };
    if (exchange.status === 429) return { exchange, route, skipped: 'a matter of pace' };
    seed(this.#api.state, this.#ids, exchange);
    const skipped = this.#whyNot(exchange);
    if (skipped !== undefined) return { exchange, route, skipped };
    if (isBusy(exchange) && !this.#api.state.busy(this.#linodeOf(exchange))) {
      return { exchange, route, skipped: 'busy with a call that could not be played' };
    }
    if (!expectsBusy(exchange, rest)) await this.#clock.settle();
    return this.#send(exchange, route);
  }

  async #send(exchange: Exchange, route: string): Promise<Outcome> {
    const { path, request, filter } = exchange;
    const body = request === undefined || request === null ? undefined : this.#translate(request, exchange);
    const headers: Record<string, string> = { Authorization: `Bearer ${FULL_TOKEN.token}` };
    if (filter !== undefined) headers['X-Filter'] = JSON.stringify(this.#translate(filter, exchange));
    const answer = await fetch(this.#api.url + this.#path(path, exchange), {
      method: exchange.method,
      headers,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    const parsed = text === '' ? null : (JSON.parse(text) as Json);
    if (answer.status === exchange.status && exchange.response !== undefined)
      this.#learn(exchange.response, parsed);
    return { exchange, route, status: answer.status, body: parsed, headers: answer.headers };
  }

  #linodeOf(exchange: Exchange): Linode {
    return this.#api.state.linode(this.#ids.get(Number(barePath(exchange.path).split('/')[3])) ?? 0);
  }

  /** Why an exchange can't be played, or `undefined` if it can. */
  #whyNot(exchange: Exchange): string | undefined {
    if (exchange.status === 404) return undefined;
    if (
      /\/private%2F|\/sharegroups/.test(exchange.path) ||
      /"private\//.test(JSON.stringify(exchange.request ?? null))
    ) {
      return 'about an image of the user, which are not simulated';
    }
    if (exchange.filter?.['action'] === 'disk_imagize')
      return 'about an image of the user, which are not simulated';
    if (/kernels\?page=[2-9]/.test(exchange.path)) return 'a longer list than is simulated';
    const inPath = barePath(exchange.path)
      .split('/')
      .filter((part) => /^\d+$/.test(part));
    const ids = [...inPath, exchange.filter?.['entity.id'] ?? [], linodeIn(exchange)].flat().map(Number);
    return ids.every((id) => this.#ids.has(id))
      ? undefined
      : 'about something made by a call that is not simulated';
  }

  #path(path: string, exchange: Exchange): string {
    return path
      .split('/')
      .map((part) => {
        if (/^\d+$/.test(part)) return String(this.#ids.get(Number(part)) ?? part);
        return this.#book.translatePathPart(part, exchange);
      })
      .join('/');
  }

  #translate(value: Json, exchange: Exchange): Json {
    if (typeof value === 'number') return this.#ids.get(value) ?? value;
    if (typeof value === 'string') return this.#book.translate(value, exchange);
    if (isList(value)) return value.map((element) => this.#translate(element, exchange));
    if (!isObject(value)) return value;
    const entries = Object.entries(value).map(([key, part]) => [
      key,
      this.#translatePart(key, part, exchange),
    ]);
    return Object.fromEntries(entries) as JsonObject;
  }

  /** Only what can be an id is translated: sizes and ports may be equal to one. */
  #translatePart(key: string, part: Json, exchange: Exchange): Json {
    const holdsIds = /(^|[_.])ids?$|^(linodes|nodebalancers|devices)$/.test(key);
    if (typeof part === 'number' && !holdsIds) return part;
    // The operand of a comparison of ids.
    if (holdsIds && isObject(part)) {
      const entries = Object.entries(part).map(([name, value]) => [name, this.#translate(value, exchange)]);
      return Object.fromEntries(entries) as JsonObject;
    }
    return this.#translate(part, exchange);
  }

  #learn(recorded: Json, here: Json, key = ''): void {
    if (isList(recorded) && isList(here)) {
      recorded.forEach((element, index) =>
        this.#learn(element, partner(element, index, here, this.#ids), key),
      );
    } else if (isObject(recorded) && isObject(here)) {
      for (const [name, part] of Object.entries(recorded)) this.#learn(part, here[name] ?? null, name);
    } else if (typeof recorded === 'number' && typeof here === 'number') {
      if (/(^|_)id$/.test(key)) this.#ids.set(recorded, here);
    } else if (typeof recorded === 'string' && typeof here === 'string') this.#book.learn(recorded, here);
  }
}

/** The element here that a recorded one stands for: by a known id, by label, else by place if there are as many. */
function partner(
  recorded: Json,
  index: number,
  here: readonly Json[],
  ids: ReadonlyMap<number, number>,
): Json {
  if (!isObject(recorded)) return here[index] ?? null;
  const { id, label } = recorded;
  const known = typeof id === 'number' ? ids.get(id) : undefined;
  if (known !== undefined) return here.find((one) => isObject(one) && one['id'] === known) ?? null;
  const alike =
    typeof label === 'string' ? here.filter((one) => isObject(one) && one['label'] === label) : [];
  return alike.length === 1 ? (alike[0] ?? null) : (here[index] ?? null);
}

/** The Linode that a volume is to be attached to. */
function linodeIn({ path, request }: Exchange): readonly Json[] {
  const id = isObject(request) ? request['linode_id'] : undefined;
  return path.endsWith('/attach') && id !== undefined ? [id] : [];
}

/** Work must still go on when the next change was refused because of it. */
function expectsBusy(exchange: Exchange, rest: readonly Exchange[]): boolean {
  if (isBusy(exchange)) return true;
  if (exchange.method !== 'GET') return false;
  const next = rest.find((other) => other.method !== 'GET');
  return next !== undefined && isBusy(next);
}

function isBusy(exchange: Exchange): boolean {
  return exchange.status === 400 && JSON.stringify(exchange.response).includes('Linode busy.');
}

/** A path with its ids and names left out, for counting. */
function kindOfPath(path: string): string {
  return barePath(path)
    .split('/')
    .map((part) => (/\d/.test(part) ? ':id' : part))
    .join('/');
}
