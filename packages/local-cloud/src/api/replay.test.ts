import { join } from 'node:path';
import { afterAll, describe, expect, it } from '@jest/globals';
import { isList, isObject, type Json, type JsonObject } from './json.js';
import { LIMITS } from './rate-limit.js';
import { readRecording, recordingPath, type Exchange } from './testing/recording.js';
import { replay, routeOf, type Outcome } from './testing/replay.js';
import { differences, emptyShape, learn, type Shape } from './testing/shapes.js';

const root = join(import.meta.dirname, '..', '..', '..', '..');
const recording = readRecording(recordingPath(root));

/**
 * Keys that the API has added to a thing since an answer of that kind was last recorded; other kinds of answers that
 * show the same thing have them.
 */
const NEWER: Readonly<Record<string, readonly string[]>> = {
  'GET /linode/instances/:linode/ips': ['tags'],
  'GET /networking/ips/:address': ['tags'],
  'PUT /networking/ips/:address': ['tags'],
  'GET /vpcs/:vpc': ['vpc_type'],
  'PUT /vpcs/:vpc': ['vpc_type'],
  'GET /nodebalancers/:balancer': ['frontend_address_type', 'frontend_vpc_subnet_id', 'locks'],
  'PUT /nodebalancers/:balancer': ['frontend_address_type', 'frontend_vpc_subnet_id', 'locks'],
  'GET /linode/instances/:linode/nodebalancers': ['frontend_address_type', 'frontend_vpc_subnet_id', 'locks'],
};

if (typeof recording === 'string') {
  describe('recorded traffic', () => {
    it.skip(`is replayed (${recording})`, () => undefined);
  });
} else {
  describe('recorded traffic', () => {
    const kinds = learnKinds([...recording.values()].flat());
    const tally = new Map<string, number>();

    afterAll(() => {
      process.stdout.write(summary(tally));
    });

    it('has the plans and regions of the catalogue as they are', async () => {
      const types = await firstAnswer(recording, 'TestTypes_List', '/linode/types');
      expect(types.here).toEqual(types.there);
      const regions = await firstAnswer(recording, 'TestVPC_List', '/regions');
      // Ranges of one's own came to one region of them later; resolvers are neutralised.
      const comparable = (one: JsonObject): JsonObject => {
        const { resolvers: _resolvers, capabilities, ...rest } = one;
        const names = (capabilities as readonly string[]).filter((name) => name !== 'Custom VPC IPv4 Ranges');
        return { ...rest, capabilities: names.toSorted() };
      };
      expect(regions.here.map(comparable)).toEqual(regions.there.map(comparable));
    });

    it.each([...recording.keys()])('%s', async (name) => {
      const outcomes = await replay(recording.get(name) ?? []);
      const problems = outcomes.flatMap((outcome) => {
        const done = outcome.skipped === undefined ? 'replayed' : `left out: ${outcome.skipped}`;
        const key = `${outcome.route}\t${done}`;
        tally.set(key, (tally.get(key) ?? 0) + 1);
        return problemsOf(outcome, kinds).map(
          (problem) => `${outcome.exchange.n} ${outcome.route}: ${problem}`,
        );
      });
      expect(problems).toEqual([]);
    });
  });
}

/** The items of a list as they are here and as they were recorded. */
async function firstAnswer(
  conversations: ReadonlyMap<string, readonly Exchange[]>,
  name: string,
  path: string,
): Promise<{ here: readonly JsonObject[]; there: readonly JsonObject[] }> {
  const exchange = conversations.get(name)?.find((one) => one.path.includes(path));
  const [outcome] = exchange === undefined ? [] : await replay([exchange]);
  if (exchange === undefined || outcome === undefined || outcome.skipped !== undefined)
    throw new Error(`no ${path}`);
  return { here: items(outcome.body), there: items(exchange.response ?? null) };
}

function items(body: Json): readonly JsonObject[] {
  const data = isObject(body) ? body['data'] : undefined;
  return isList(data) ? data.filter(isObject) : [];
}

interface Kind {
  readonly shape: Shape;
  readonly limits: Set<string>;
}

/** What the records together say of each kind of answer. */
function learnKinds(exchanges: readonly Exchange[]): Map<string, Kind> {
  const kinds = new Map<string, Kind>();
  for (const exchange of exchanges) {
    const route = routeOf(exchange);
    if (route === undefined) continue;
    const kind = kinds.get(route) ?? { shape: emptyShape(), limits: new Set() };
    kinds.set(route, kind);
    if (exchange.ratelimit != null) kind.limits.add(exchange.ratelimit);
    if (exchange.status === 200) learn(kind.shape, exchange.response ?? null);
  }
  return kinds;
}

function problemsOf(outcome: Outcome, kinds: ReadonlyMap<string, Kind>): string[] {
  if (outcome.skipped !== undefined) return [];
  const { exchange, status, body } = outcome;
  if (status !== exchange.status) {
    return [`status ${status} instead of ${exchange.status}: ${JSON.stringify(body)}`];
  }
  const headers = headerProblems(outcome.headers, exchange, kinds.get(outcome.route));
  if (status >= 400) return [...headers, ...errorProblems(body, exchange.response ?? null)];
  const kind = kinds.get(outcome.route);
  if (kind === undefined) return headers;
  const recorded = emptyShape();
  learn(recorded, exchange.response ?? null);
  const isNewer = (key: string): boolean => NEWER[outcome.route]?.includes(key) ?? false;
  return [...headers, ...differences(body, recorded, kind.shape, isNewer), ...echoProblems(body, exchange)];
}

function headerProblems(headers: Headers, exchange: Exchange, kind: Kind | undefined): string[] {
  const scopes = headers.get('X-Accepted-OAuth-Scopes');
  const wrongScopes = exchange.scopes != null && exchange.scopes !== scopes;
  const limit = headers.get('X-RateLimit-Limit') ?? '';
  // Before 2026 the general limit was lower.
  const general = String(LIMITS.general.limit);
  const wrongLimit =
    kind !== undefined && kind.limits.size > 0 && !kind.limits.has(limit) && limit !== general;
  return [
    ...(wrongScopes ? [`scopes ${scopes ?? 'none'} instead of ${exchange.scopes}`] : []),
    ...(wrongLimit ? [`limit ${limit} instead of ${[...kind.limits].join(' or ')}`] : []),
  ];
}

function errorProblems(body: Json, recorded: Json): string[] {
  const [here, there] = [errorTexts(body), errorTexts(recorded)];
  return here.join() === there.join() ? [] : [`errors ${here.join('; ')} instead of ${there.join('; ')}`];
}

function errorTexts(body: Json): string[] {
  const errors = isObject(body) ? body['errors'] : undefined;
  return isList(errors) ? errors.map((error) => JSON.stringify(sorted(error))) : [];
}

function sorted(value: Json): Json {
  if (!isObject(value)) return value;
  return Object.fromEntries(Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

/** What the recorded answer repeats of its request, and what says how many there are, must be the same here. */
function echoProblems(body: Json, { request, response }: Exchange): string[] {
  if (!isObject(body) || !isObject(response)) return [];
  const empty =
    isList(response['data']) &&
    response['data'].length > 0 &&
    isList(body['data']) &&
    body['data'].length === 0;
  if (empty) return ['the list is empty, recorded it was not'];
  if (!isObject(request)) return [];
  return Object.entries(request).flatMap(([key, sent]) => {
    const echoed = typeof sent === 'string' && response[key] === sent && !sent.startsWith('192.0.2.0');
    return echoed && body[key] !== sent ? [`${key} is ${JSON.stringify(body[key])} instead of ${sent}`] : [];
  });
}

function summary(tally: ReadonlyMap<string, number>): string {
  const rows = [...tally].map(([key, count]) => {
    const [route = '', what = ''] = key.split('\t');
    return { route, what, count };
  });
  const total = (test: (what: string) => boolean): number =>
    rows.filter(({ what }) => test(what)).reduce((sum, { count }) => sum + count, 0);
  const lines = rows
    .toSorted((a, b) => (a.what + a.route.split(' ')[1] < b.what + b.route.split(' ')[1] ? -1 : 1))
    .map(({ route, what, count }) => `${String(count).padStart(5)}  ${route}  (${what})`);
  const replayed = total((what) => what === 'replayed');
  return `${lines.join('\n')}\n${replayed} recorded exchanges replayed, ${total((what) => what !== 'replayed')} left out\n`;
}
