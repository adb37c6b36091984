import ipaddr from 'ipaddr.js';
import { z } from 'zod';
import { DURATION, parseDuration } from './duration.js';
import { parseSize, SIZE } from './size.js';

/** Values that end up in file names, unit names and labels keep to characters that need no quoting anywhere. */
const name = (maximum: number, what: string) =>
  z
    .string()
    .regex(
      /^[a-z](?:[a-z0-9]|-(?=[a-z0-9]))*$/,
      `${what}: small letters, digits and single dashes, starting with a letter`,
    )
    .min(2)
    .max(maximum);

const duration = z
  .string()
  .regex(DURATION, 'a whole number and ms, s, m, h or d, such as 30s')
  .transform((text) => parseDuration(text))
  .describe('A duration: 500ms, 30s, 5m, 12h, 7d');

const size = z
  .string()
  .regex(SIZE, 'a whole number and KiB, MiB or GiB, such as 64MiB')
  .transform((text) => parseSize(text))
  .describe('A size: 512KiB, 64MiB, 2GiB');

const port = z.number().int().min(1).max(65_535);
const count = (minimum: number, maximum: number) => z.number().int().min(minimum).max(maximum);
const address = z.string().refine((text) => ipaddr.isValid(text), 'an IPv4 or IPv6 address');
const domain = z
  .string()
  .regex(
    /^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/,
    'a domain name',
  );
/** Paths and words that are rendered into configuration: nothing that a configuration language could take for its own. */
const relativePath = z
  .string()
  .regex(
    /^[A-Za-z0-9._-]+(?:\/[A-Za-z0-9._-]+)*$/,
    'a relative path of letters, digits, dots, dashes and slashes',
  )
  .refine(
    (path) => !path.split('/').some((part) => part === '..' || part === '.'),
    'a path that stays in its folder',
  );
const urlPath = z.string().regex(/^\/[A-Za-z0-9._~/-]*$/, 'an absolute URL path such as /images');
const variable = z.string().regex(/^[A-Z_][A-Z0-9_]*$/, 'a variable name: capitals, digits, underscores');
/** A program and its arguments, split at each space; nothing in it means anything to a shell, which never sees it. */
const plainCommand = z
  .string()
  .regex(
    /^[A-Za-z0-9._/:=@,+-]+(?: [A-Za-z0-9._/:=@,+-]+)*$/,
    'a program and its plain arguments, such as bin/migrate up',
  );
const oneLine = z.string().regex(/^[^\r\n\0]*$/, 'one line');

const privateNetwork = z
  .string()
  .refine((text) => ipaddr.IPv4.isValidCIDR(text), 'an IPv4 network such as 10.10.0.0/16')
  .refine(isPrivateNetwork, 'a network inside 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16')
  .refine((text) => Number(text.split('/')[1]) <= 21, 'a /21 or larger: every tier gets a /24 of it');

function isPrivateNetwork(text: string): boolean {
  return ipaddr.IPv4.isValidCIDR(text) && ipaddr.IPv4.networkAddressFromCIDR(text).range() === 'private';
}

const ExistingHostSchema = z
  .strictObject({
    address,
    privateAddress: address.optional(),
    placement: z
      .string()
      .regex(/^[A-Za-z0-9._-]{1,64}$/, 'a word of letters, digits, dots and dashes')
      .optional()
      .describe('What fails together, such as a rack: roll-outs go from one to the next'),
    hostKey: z
      .string()
      .regex(/^SHA256:[A-Za-z0-9+/]{43}$/, 'the fingerprint that `ssh-keygen -lf` prints: SHA256:…'),
    user: z
      .string()
      .regex(/^[a-z_][a-z0-9_-]*$/)
      .default('deploy'),
    port: port.default(22),
  })
  .describe('A server that exists already, at any provider');

/** What every tier has: either servers to be made (`type`, `count`) or servers that exist (`hosts`). */
const tierShape = {
  type: z
    .string()
    .regex(/^[a-z0-9-]+$/)
    .optional()
    .describe('A Linode type, such as g6-standard-2'),
  hosts: z.array(ExistingHostSchema).min(1).optional(),
};

const WebTierSchema = z.strictObject({
  ...tierShape,
  count: count(1, 20).default(2),
  entry: z.enum(['nodebalancer', 'dns']).default('dns'),
  tls: z
    .strictObject({
      files: z
        .boolean()
        .default(false)
        .describe('Serves HTTPS with a certificate that the workflow hands over'),
      hsts: z
        .union([z.literal(false), duration])
        .default(false)
        .describe('Tells browsers to use HTTPS alone for this long; hard to take back'),
    })
    .optional(),
});

const AppTierSchema = z.strictObject({
  ...tierShape,
  count: count(1, 250).default(2),
  autoscale: z
    .strictObject({ min: count(1, 250), max: count(1, 250), target: z.number().gt(0).lt(1).default(0.65) })
    .refine(({ min, max }) => min <= max, 'min is at most max')
    .optional(),
});

const DatabaseTierSchema = z.strictObject({
  ...tierShape,
  count: count(1, 5).default(2),
  version: z.union([z.literal(15), z.literal(16), z.literal(17)]).optional(),
  connections: count(20, 5_000).optional().describe('max_connections; default: from the memory of the hosts'),
  settings: z
    .record(
      z.string().regex(/^[a-z][a-z0-9_.]*$/, 'the name of a PostgreSQL setting'),
      z.union([oneLine, z.number(), z.boolean()]),
    )
    .default({})
    .describe('Settings of postgresql.conf that take the place of the computed ones'),
  durability: z.enum(['async', 'sync', 'quorum']).default('async'),
  failover: z.enum(['manual', 'patroni']).default('manual'),
});

const CacheTierSchema = z.strictObject({
  ...tierShape,
  count: count(1, 9).default(3),
  on: z.enum(['web', 'app', 'database', 'monitor']).optional().describe('Shares the hosts of this tier'),
  failover: z.enum(['manual', 'sentinel']).default('sentinel'),
  quorum: count(1, 9)
    .optional()
    .describe('Sentinels that must agree that the primary is down; default: more than half'),
  persistence: z.enum(['rdb', 'aof', 'both', 'none']).default('aof'),
  memory: size.optional().describe('maxmemory; default: from the memory of the hosts'),
  eviction: z
    .enum([
      'noeviction',
      'allkeys-lru',
      'allkeys-lfu',
      'allkeys-random',
      'volatile-lru',
      'volatile-lfu',
      'volatile-random',
      'volatile-ttl',
    ])
    .default('volatile-lru')
    .describe('What gives way when the memory is full; by default what has a time to live, such as sessions'),
});

const MonitorTierSchema = z.strictObject({
  ...tierShape,
  count: count(1, 2).default(1),
  on: z.enum(['web', 'app', 'database', 'cache']).optional().describe('Shares the hosts of this tier'),
  alerts: z.strictObject({ email: z.email().optional(), webhook: z.url().optional() }).default({}),
});

const AppSchema = z.strictObject({
  name: name(24, 'the application').optional().describe('Default: the name of the stack'),
  psgi: relativePath.default('app.psgi'),
  lib: z.array(relativePath).default(['lib']).describe('Folders of the release that are added to @INC'),
  domains: z.array(domain).default([]),
  workers: z.union([z.literal('auto'), count(1, 500)]).default('auto'),
  workerMemory: size.default(64).describe('What a worker takes at the most, as measured'),
  units: count(1, 8).default(1).describe('Starman masters a host, among which its workers are shared out'),
  maxRequests: count(1, 1_000_000).default(1_000),
  preload: z.boolean().default(true),
  health: z
    .strictObject({
      path: urlPath.default('/healthz'),
      status: count(100, 599).default(200),
      body: oneLine.optional().describe('Text that the answer must contain'),
      latency: duration.default(1_000),
      successes: count(1, 100).default(3),
      timeout: duration.default(60_000),
      release: urlPath.default('/version').describe('Answers with the id of the running release'),
    })
    .prefault({}),
  limits: z
    .strictObject({
      body: size.default(20).describe('The largest request body'),
      rate: count(1, 100_000)
        .optional()
        .describe('Requests a second from one client address; default: no limit'),
      burst: count(0, 100_000)
        .optional()
        .describe('Requests above the rate that are let through; default: as many as the rate'),
      connections: count(1, 100_000)
        .optional()
        .describe('Connections of one client address; default: no limit'),
    })
    .prefault({}),
  static: z
    .strictObject({
      root: relativePath.default('public'),
      paths: z.array(urlPath).default(['/images', '/css', '/js', '/assets']),
      expires: duration.default(parseDuration('30d')),
    })
    .prefault({}),
  env: z.record(variable, oneLine).default({ PLACK_ENV: 'deployment' }),
  secrets: z.array(variable).default([]).describe('Names only; the values come from the workflow'),
  build: z
    .strictObject({
      with: z.enum(['carton', 'cpm', 'none']).default('none'),
      on: z.enum(['host', 'runner']).default('host'),
    })
    .prefault({}),
  hooks: z
    .strictObject({
      migrate: plainCommand
        .optional()
        .describe('Runs once a release, on one app host, before any of its instances starts: bin/migrate up'),
      timeout: duration.default(parseDuration('10m')).describe('How long it may take'),
    })
    .prefault({}),
  packages: z
    .array(z.string().regex(/^[a-z0-9][a-z0-9+.-]+$/, 'a Debian package'))
    .default([])
    .describe('Debian packages that the application needs'),
  drainTimeout: duration
    .default(30_000)
    .describe('How long requests in flight may take before the old release is stopped'),
  keepReleases: count(2, 100).default(5),
});

export const StackSchema = z
  .strictObject({
    stack: name(20, 'the stack'),
    region: z.string().regex(/^[a-z0-9-]+$/),
    image: z.enum(['linode/debian13', 'linode/debian12', 'linode/ubuntu24.04']).default('linode/debian13'),
    network: z
      .strictObject({
        vpc: privateNetwork.default('10.10.0.0/16'),
        public: z.array(z.enum(['web', 'app', 'database', 'cache', 'monitor'])).default(['web']),
        ssh: z
          .array(z.string().refine((text) => ipaddr.isValidCIDR(text), 'a network such as 203.0.113.0/24'))
          .min(1)
          .default(['0.0.0.0/0'])
          .describe('Networks from which SSH to public hosts is allowed'),
      })
      .prefault({}),
    app: AppSchema,
    tiers: z
      .strictObject({
        web: WebTierSchema.prefault({}),
        app: AppTierSchema.prefault({}),
        database: DatabaseTierSchema.optional(),
        cache: CacheTierSchema.optional(),
        monitor: MonitorTierSchema.optional(),
      })
      .prefault({}),
    backups: z
      .strictObject({
        bucket: z.string().regex(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, 'a bucket name'),
        engine: z
          .enum(['stream', 'pgbackrest', 'pg_dump'])
          .default('stream')
          .describe(
            'How PostgreSQL is copied: with no key on the database hosts, by pgBackRest for large ones, or as dumps with no log between them',
          ),
        endpoint: z
          .string()
          .regex(
            /^https:\/\/[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::\d{1,5})?$/,
            'a URL without a path, such as https://us-ord-1.linodeobjects.com',
          )
          .optional()
          .describe("Where the bucket is; default: that of the stack's region at Linode"),
        keep: z
          .strictObject({
            daily: count(0, 366).default(7),
            weekly: count(0, 520).default(4),
            monthly: count(0, 120).default(6),
          })
          .prefault({}),
        pitr: duration.default(parseDuration('7d')),
        encrypt: z.boolean().default(true),
        lock: duration
          .optional()
          .describe(
            'How long nobody can remove a new backup; takes a bucket with Object Lock. Best not longer than `pitr` and `keep.daily`; the log is locked up to a week longer',
          ),
        lockMode: z
          .enum(['governance', 'compliance'])
          .default('governance')
          .describe(
            'Who can remove it all the same: with governance a key with the right to bypass it, with compliance nobody',
          ),
      })
      .refine(({ engine, lock }) => engine !== 'pgbackrest' || lock === undefined, {
        path: ['lock'],
        error:
          'left out with engine: pgbackrest, which rewrites and removes files that nobody could remove then',
      })
      .optional(),
    budget: z
      .strictObject({ monthly: z.number().positive().describe('USD a month; a plan above it is refused') })
      .optional(),
  })
  .transform((stack) => ({ ...stack, app: { ...stack.app, name: stack.app.name ?? stack.stack } }));

/** A stack file, checked and with every default filled in. Durations are milliseconds. */
export type Stack = z.output<typeof StackSchema>;

/** A stack file as the user writes it. */
export type StackInput = z.input<typeof StackSchema>;

export const TIERS = ['web', 'app', 'database', 'cache', 'monitor'] as const;
/** The tiers that a stack can have, in the order in which they are listed. */
export type TierName = (typeof TIERS)[number];
