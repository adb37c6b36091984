import { parseDuration, parseSize, parseYaml, UserError } from '@perlstack/stack';
import { z } from 'zod';
import type { Threshold } from './probe.js';

const oneLine = z.string().regex(/^[^\r\n\0]+$/, 'one line');
const url = z.string().regex(/^https?:\/\/\S+$/, 'a URL that begins with http:// or https://');
const place = z.string().regex(/^(?:\[[0-9A-Fa-f:.]+\]|[^\s:[\]]+):\d{1,5}$/, 'of the form host:port');
const duration = z
  .string()
  .regex(/^\d+(ms|s|m|h|d)$/, 'a duration such as 500ms or 30s')
  .transform((text) => parseDuration(text));
/** In bytes. */
const size = z
  .string()
  .regex(/^[1-9]\d*(KiB|MiB|GiB)$/, 'a size such as 16MiB')
  .transform((text) => parseSize(text) * 1_024 * 1_024);
const count = (least: number, most: number) => z.number().int().min(least).max(most);
const host = z.string().regex(/^[a-z][a-z0-9-]*$/, 'the name of a host or of a tier, or runner');
const header = z.record(z.string().regex(/^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/, 'the name of a header'), oneLine);
const threshold = z
  .string()
  .regex(/^\s*(<=?|>=?|==|!=)\s*-?\d+(\.\d+)?(e-?\d+)?\s*$/, 'a comparison such as "< 0.01"')
  .transform((text): Threshold => {
    const [, operator = '==', limit = ''] = /^\s*(<=?|>=?|==|!=)\s*(\S+)\s*$/.exec(text) ?? [];
    return { operator: operator as Threshold['operator'], limit: Number(limit) };
  });

/** A status, or a class of them: `2xx`. */
const status = z.union([
  count(100, 599),
  z.string().regex(/^[1-5]xx$/, 'a status such as 200, or a class of them such as 2xx'),
]);

/** Shares that have a name. */
const PERCENTILES = { p50: 0.5, p75: 0.75, p90: 0.9, p95: 0.95, p99: 0.99 } as const;

const latency = z.union([
  duration,
  z
    .strictObject({
      ...(Object.fromEntries(Object.keys(PERCENTILES).map((name) => [name, duration.optional()])) as Record<
        keyof typeof PERCENTILES,
        z.ZodOptional<typeof duration>
      >),
      samples: count(2, 1_000).default(20),
    })
    .transform(({ samples, ...named }, context) => {
      const entries = Object.entries(named).filter(([, ms]) => ms !== undefined);
      const [name, ms] = entries[0] ?? [];
      if (name === undefined || entries.length > 1) {
        context.addIssue({
          code: 'custom',
          message: `exactly one of ${Object.keys(PERCENTILES).join(', ')}`,
        });
        return z.NEVER;
      }
      return { share: PERCENTILES[name as keyof typeof PERCENTILES], ms: ms as unknown as number, samples };
    }),
]);

const COMMON = ['name', 'latency'];
/** What a probe may say besides its kind, and, unless it is a group, `name` and `latency`. */
export const PROBE_KEYS: Readonly<Record<string, readonly string[]>> = {
  http: ['from', 'status', 'contains', 'json', 'headers', 'answer', 'redirects', 'location', 'ca'],
  tcp: ['from'],
  tls: ['from', 'servername', 'days', 'ca'],
  unit: ['on'],
  command: ['on', 'exit', 'contains'],
  postgres: ['on', 'lag', 'connections'],
  redis: ['on', 'lag'],
  sentinel: ['on'],
  prometheus: ['from', 'query', 'threshold', 'empty', 'headers', 'ca'],
  group: ['need', 'of'],
};
const KINDS = Object.keys(PROBE_KEYS);
/** Kinds that run on a host. */
const ON_HOST = KINDS.filter((kind) => PROBE_KEYS[kind]?.includes('on'));

const KEYS_OF_PROBE = {
  http: url.optional(),
  tcp: place.optional(),
  tls: place.optional(),
  unit: z
    .string()
    .regex(/^[A-Za-z0-9:_.@\\-]+$/, 'the name of a systemd unit')
    .optional(),
  command: z.array(oneLine).min(1).optional(),
  postgres: z.enum(['primary', 'replica', 'any']).optional(),
  redis: z.enum(['primary', 'replica', 'any']).optional(),
  sentinel: z
    .string()
    .regex(/^[A-Za-z0-9._-]+$/, 'the name under which Sentinel knows the primary')
    .optional(),
  prometheus: url.optional(),
  name: oneLine.optional(),
  from: host.optional(),
  on: host.optional(),
  latency: latency.optional(),
  status: z.union([status, z.array(status).min(1)]).optional(),
  contains: oneLine.optional(),
  json: z
    .strictObject({
      pointer: z.string().regex(/^(\/.*)?$/, 'a JSON Pointer (RFC 6901) such as /checks/0/status'),
      equals: z.union([z.string(), z.number(), z.boolean(), z.null()]).optional(),
    })
    .optional(),
  headers: header.optional(),
  answer: header.optional(),
  redirects: count(0, 20).optional(),
  location: z
    .string()
    .regex(/^(https?:\/\/\S+|\/\S*)$/, 'a URL, or a path that begins with /')
    .optional(),
  ca: z.string().min(1).optional(),
  servername: z
    .string()
    .regex(/^[A-Za-z0-9.:-]+$/, 'a host name')
    .optional(),
  days: count(0, 3_650).optional(),
  exit: z.array(count(0, 255)).min(1).optional(),
  lag: z.strictObject({ bytes: size.optional(), time: duration.optional() }).optional(),
  connections: z
    .string()
    .regex(/^\d{1,2}%$|^100%$/, 'a share such as 80%')
    .optional(),
  query: oneLine.optional(),
  threshold: threshold.optional(),
  empty: z.literal('ok').optional(),
  group: oneLine.optional(),
  need: z.union([z.enum(['all', 'any']), count(1, 999)]).optional(),
};

type Leaf = z.output<z.ZodObject<typeof KEYS_OF_PROBE>>;

/** A probe or a group as the user wrote it, checked. */
export interface ProbeSpec extends Leaf {
  /** The members of a group. */
  readonly of?: readonly ProbeSpec[] | undefined;
}

/** So deep may groups stand in groups: what is deeper nobody reads. */
const DEPTH = 3;

/** @param left how many groups may still stand in one another here */
function probeSchema(left: number): z.ZodType<ProbeSpec> {
  const members: z.ZodType<readonly ProbeSpec[]> =
    left === 0 ? z.array(z.any()) : z.array(probeSchema(left - 1)).min(1);
  return z.strictObject({ ...KEYS_OF_PROBE, of: members.optional() }).superRefine((probe, context) => {
    check(probe, context);
    if (left === 0 && probe.group !== undefined)
      context.addIssue({
        code: 'custom',
        message: `a probe: no more than ${DEPTH} groups stand in one another`,
        path: ['group'],
      });
  });
}

type Context = z.core.$RefinementCtx;

/** What goes together, and what does not. */
function check(probe: ProbeSpec, context: Context): void {
  const issue = (message: string, path: string[] = []): void =>
    context.addIssue({ code: 'custom', message, path });
  const given = Object.entries(probe).flatMap(([key, value]) => (value === undefined ? [] : [key]));
  const kinds = given.filter((key) => KINDS.includes(key));
  const [kind = ''] = kinds;
  if (kinds.length !== 1) return issue(`exactly one of ${KINDS.join(', ')}`);
  const allowed = [...(PROBE_KEYS[kind] ?? []), ...(kind === 'group' ? [] : COMMON)];
  const stray = given.find((key) => key !== kind && !allowed.includes(key));
  if (stray !== undefined) issue(`no key of a ${kind} probe, which has ${allowed.join(', ')}`, [stray]);
  if (ON_HOST.includes(kind) && probe.on === undefined)
    issue(`a probe with "on", as ${kind} is looked at on a host`);
  if (probe.on === 'runner')
    issue('the name of a host or of a tier: the runner is asked by "from" alone', ['on']);
  if (kind === 'prometheus' && (probe.query === undefined || probe.threshold === undefined)) {
    issue('a probe with "query" and "threshold"');
  }
  if (kind === 'group' && probe.of === undefined) issue('a group with the list "of" of its members');
  if (kind === 'redis' && probe.lag?.time !== undefined)
    issue('in bytes: Redis does not know it in time', ['lag', 'time']);
}

/**
 * Reads a list of probes in YAML.
 *
 * @param source the name that errors give
 * @throws UserError naming line, column and key of the first fault.
 */
export function parseProbes(text: string, source: string): ProbeSpec[] {
  const value = read(text, source);
  if (value.length === 0) throw new UserError(`${source}: it lists no probe`);
  return value;
}

/** The place is told in the message alone: there is no file that an annotation could stand at. */
function read(text: string, source: string): ProbeSpec[] {
  try {
    return parseYaml(z.array(probeSchema(DEPTH)), text, source).value;
  } catch (error) {
    // A header may hold a token.
    const hidden = (message: string): string =>
      message.replace(/(headers\S*: )found "(?:[^"\\]|\\.)*"; /, '$1');
    throw error instanceof UserError ? new UserError(hidden(error.message)) : error;
  }
}
