import { UserError, type Host } from '@perlstack/stack';
import { privateAddressOf, socketAddress } from '../addresses.js';
import { appLayout, databaseName, POSTGRESQL_PORT, REDIS_PORT, SENTINEL_PORT } from '../layout.js';
import { printServiceFile } from '../print/pg-service.js';
import { DATABASE_PASSWORD, REDIS_PASSWORD } from '../secrets.js';
import type { World } from '../world.js';

type Variables = Readonly<Record<string, string>>;

/** What the application's environment holds, apart by who may read it. */
export interface Environment {
  /** In the unit, for everybody to read. */
  readonly open: Variables;
  /** In a file of its own, for root; the application has it in its environment. */
  readonly secret: Variables;
}

/**
 * How the application finds PostgreSQL and Redis: what libpq reads by itself, and for Redis, which has no such
 * convention, addresses.
 */
function connections({ stack, role, secrets }: World): Environment {
  const { database, cache } = stack.tiers;
  const { user, serviceFile } = appLayout(stack.app.name);
  const toRedis = cache?.failover === 'sentinel' ? sentinels : primary;
  return {
    open: {
      ...(database ? { PGSERVICE: user, PGSERVICEFILE: serviceFile } : {}),
      ...(cache ? toRedis(stack.app.name, role('cache')) : {}),
    },
    secret: {
      ...(database ? { PGPASSWORD: secrets[DATABASE_PASSWORD] ?? '' } : {}),
      ...(cache ? { REDIS_PASSWORD: secrets[REDIS_PASSWORD] ?? '' } : {}),
    },
  };
}

function sentinels(app: string, hosts: readonly Host[]): Variables {
  const addresses = hosts.map((host) => socketAddress(privateAddressOf(host), SENTINEL_PORT));
  return { REDIS_SENTINELS: addresses.join(','), REDIS_SERVICE: app };
}

/** Without Sentinels nobody can be asked who the primary is: it is the first host. */
function primary(_app: string, hosts: readonly Host[]): Variables {
  const [first] = hosts;
  return first ? { REDIS_SERVER: socketAddress(privateAddressOf(first), REDIS_PORT) } : {};
}

/**
 * The application's whole environment but for `RELEASE`, which the unit knows.
 *
 * @throws UserError when the stack file sets a variable twice, or one that is ours.
 */
export function environmentOf(world: World): Environment {
  const { app } = world.stack;
  const ours = connections(world);
  const reserved = ['RELEASE', ...Object.keys(ours.open), ...Object.keys(ours.secret)];
  // A secret that the stack needs anyway may be named once more.
  const named = app.secrets.filter((name) => name !== REDIS_PASSWORD || !reserved.includes(name));
  const taken = [...Object.keys(app.env), ...named].find((name) => reserved.includes(name));
  if (taken) throw new UserError(`app: perlstack sets the variable ${taken} itself; choose another name`);
  const twice = named.find((name) => Object.hasOwn(app.env, name));
  if (twice) throw new UserError(`app: ${twice} stands in both env and secrets; remove one of them`);
  const values = named.map((name) => [name, world.secrets[name] ?? ''] as const);
  return {
    open: { ...app.env, ...ours.open },
    secret: { ...Object.fromEntries(values), ...ours.secret },
  };
}

/**
 * The service file for libpq: all database hosts, of which it takes the one that can be written to, whoever that is
 * just now. The limits are for a host that is gone without a word: it is given up after 2 s when connecting, and within
 * 10 s in the middle of a query, instead of after the kernel's 15 minutes.
 */
export function serviceFile({ stack, role }: World, heading: string): string {
  const { name } = stack.app;
  return printServiceFile(heading, name, {
    host: role('database').map(privateAddressOf).join(','),
    port: POSTGRESQL_PORT,
    dbname: databaseName(name),
    user: databaseName(name),
    application_name: name,
    target_session_attrs: 'read-write',
    connect_timeout: 2,
    keepalives_idle: 5,
    keepalives_interval: 2,
    keepalives_count: 3,
    tcp_user_timeout: 10_000,
  });
}
