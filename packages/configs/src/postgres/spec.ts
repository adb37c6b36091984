import { privateAddressOf } from '../addresses.js';
import type { PostgresSpec } from '../bundle.js';
import { DATABASE_PASSWORD, REPLICATION_PASSWORD } from '../secrets.js';
import type { World } from '../world.js';
import { POSTGRESQL_PORT } from '../layout.js';
import { databaseOf, postgresLayout, REPLICATION_ROLE } from './names.js';
import { scramVerifier } from './scram.js';

/** Deriving a verifier takes some hundredths of a second by design; all hosts of a world have the same. */
const specs = new WeakMap<World, PostgresSpec>();

/** The cluster of a stack, as each of its hosts is told of it. */
export function specOf(world: World): PostgresSpec {
  const spec = specs.get(world) ?? makeSpec(world);
  specs.set(world, spec);
  return spec;
}

function makeSpec({ stack, secrets, platform, role }: World): PostgresSpec {
  const { data, unit, passfile } = postgresLayout(platform.postgresql);
  const app = databaseOf(stack.app.name);
  const verifier = (secret: string, name: string): string =>
    scramVerifier(secret, secrets[secret] ?? '', `${stack.stack}/${name}`);
  return {
    ...{ kind: 'postgresql', version: platform.postgresql, dataDirectory: data, unit, port: POSTGRESQL_PORT },
    members: role('database').map((host) => ({ host: host.name, address: privateAddressOf(host) })),
    roles: [
      { name: app, attributes: ['LOGIN'], memberOf: [], verifier: verifier(DATABASE_PASSWORD, app) },
      {
        ...{ name: REPLICATION_ROLE, attributes: ['LOGIN', 'REPLICATION'], memberOf: [] },
        verifier: verifier(REPLICATION_PASSWORD, REPLICATION_ROLE),
      },
    ],
    databases: [
      { name: 'postgres', owner: 'postgres', extensions: ['pg_stat_statements'] },
      { name: app, owner: app, extensions: [] },
    ],
    replication: { role: REPLICATION_ROLE, passfile },
  };
}
