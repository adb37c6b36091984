import { UserError, type Host } from '@perlstack/stack';
import { privateAddressOf } from '../addresses.js';
import type { ManagedDirectory, ManagedFile, ServiceConfig } from '../bundle.js';
import { headingOf, textFile } from '../files.js';
import { POSTGRESQL_PORT } from '../layout.js';
import { printHba } from '../print/pghba.js';
import { type PostgresLine, printPostgresql } from '../print/postgresql.js';
import type { Renderer, World } from '../world.js';
import { accessRules, replicationPasswords } from './access.js';
import { type Archiving, archivingOf } from './archive.js';
import { takesRestart } from './contexts.js';
import { durabilityNote, durabilitySettings } from './durability.js';
import { type PostgresLayout, postgresLayout, SOCKET_FOLDER } from './names.js';
import { assertFits, overridden } from './override.js';
import { computedSettings } from './settings.js';
import { sizesOf } from './sizing.js';
import { specOf } from './spec.js';
import { probeCommand, validateCommand } from './validate.js';

/** The cluster's settings of one host, as the stack file and the host's size have them. */
function settingsOf(world: World, host: Host, archiving: Archiving): PostgresLine[] {
  const { stack, platform, role } = world;
  const sizes = sizesOf(world, host);
  const members = role('database').map(({ name }) => name);
  const { settings = {}, durability = 'async' } = stack.tiers.database ?? {};
  const lines = overridden(
    [
      ...computedSettings(platform.postgresql, sizes),
      ...durabilitySettings(durability, members),
      ...archiving.settings,
    ],
    settings,
  );
  assertFits(host.name, host.memoryMiB === null ? null : sizes.memoryMiB, lines);
  return lines;
}

/** What makes it this host's server, and where its parts lie. */
function placeSettings(host: Host, { data, config, pidFile }: PostgresLayout): PostgresLine[] {
  return [
    ['Place', null],
    ['data_directory', data],
    ['hba_file', `${config}/pg_hba.conf`],
    ['ident_file', `${config}/pg_ident.conf`],
    ['external_pid_file', pidFile],
    ['unix_socket_directories', SOCKET_FOLDER],
    ['listen_addresses', `localhost,${privateAddressOf(host)}`],
    ['port', POSTGRESQL_PORT],
    ['cluster_name', host.name],
    ['include_dir', 'conf.d'],
  ];
}

/** The lines that `wanted` picks, with the comments of those groups of which any is left. */
function part(lines: readonly PostgresLine[], wanted: (name: string) => boolean): PostgresLine[] {
  const kept = lines.filter(([name, value]) => value === null || wanted(name));
  return kept.filter(([, value], at) => value !== null || (kept[at + 1]?.[1] ?? null) !== null);
}

type Effect = NonNullable<ManagedFile['effect']>;

function serverFile(path: string, content: string, effect: Effect): ManagedFile {
  return { ...textFile(path, content), group: 'postgres', mode: 0o640, effect };
}

function files(world: World, host: Host, layout: PostgresLayout, archiving: Archiving): ManagedFile[] {
  const heading = headingOf(world.stack, host);
  const lines = settingsOf(world, host, archiving);
  const conf = (name: string, content: PostgresLine[], effect: Effect): ManagedFile =>
    serverFile(`${layout.config}/${name}`, printPostgresql(heading, content), effect);
  return [
    conf('postgresql.conf', placeSettings(host, layout), 'restart'),
    conf('conf.d/10-restart.conf', part(lines, takesRestart), 'restart'),
    conf(
      'conf.d/20-reload.conf',
      part(lines, (name) => !takesRestart(name)),
      'reload',
    ),
    serverFile(`${layout.config}/pg_hba.conf`, printHba(heading, accessRules(world)), 'reload'),
    serverFile(`${layout.config}/pg_ident.conf`, `# ${heading}\n`, 'reload'),
    // Debian's units start a cluster at boot, and after an upgrade of its package, when this says so.
    serverFile(`${layout.config}/start.conf`, 'auto\n', 'none'),
    {
      ...serverFile(layout.passfile, replicationPasswords(world), 'none'),
      ...{ owner: 'postgres', mode: 0o600, secret: true },
    },
    ...archiving.files,
  ];
}

function directories({ config, versionFolder }: PostgresLayout): ManagedDirectory[] {
  const etc = config.replace(/\/[^/]*$/, '');
  return [
    { path: etc, owner: 'root', group: 'root', mode: 0o755 },
    { path: config, owner: 'root', group: 'postgres', mode: 0o750 },
    { path: `${config}/conf.d`, owner: 'root', group: 'postgres', mode: 0o750 },
    { path: versionFolder, owner: 'postgres', group: 'postgres', mode: 0o750 },
  ];
}

/** The packages would make a cluster of their own, with their own settings and without data checksums. */
const PRESET = textFile(
  '/etc/postgresql-common/createcluster.d/perlstack.conf',
  'create_main_cluster = false\n',
);

function serviceOf(world: World, host: Host): ServiceConfig {
  const version = world.platform.postgresql;
  const layout = postgresLayout(version);
  const archiving = archivingOf(world, host);
  return {
    name: 'postgresql',
    presets: [PRESET],
    packages: [`postgresql-${version}`, ...archiving.packages],
    directories: [...directories(layout), ...archiving.directories],
    files: files(world, host, layout, archiving),
    removes: [...archiving.removes],
    roots: [layout.config],
    validate: [validateCommand(layout)],
    unit: { name: layout.unit, enabled: true, state: 'running', onChange: 'reload', restartAsks: true },
    daemonReload: false,
    probe: [probeCommand(layout, POSTGRESQL_PORT)],
    engine: specOf(world),
  };
}

/** @throws UserError when the hosts' distribution has another version than the stack file wants. */
function assertVersion({ stack, platform }: World): void {
  const wanted = stack.tiers.database?.version ?? platform.postgresql;
  if (wanted === platform.postgresql) return;
  const image = { 15: 'linode/debian12', 16: 'linode/ubuntu24.04', 17: 'linode/debian13' }[wanted];
  throw new UserError(
    `tiers.database.version: ${stack.image} has PostgreSQL ${platform.postgresql} and not ${wanted}; ` +
      `remove the version, or write image: ${image}, which has it`,
  );
}

/** PostgreSQL as a service of a database host: everything but its data, which `engine` describes. */
export const postgres: Renderer = (world, host) => {
  assertVersion(world);
  return { service: serviceOf(world, host) };
};

/** What the declared durability loses, and what is taken for granted. */
export function postgresNotes({ stack, role }: World): string[] {
  const { database } = stack.tiers;
  if (!database) return [];
  const hosts = role('database');
  const unknown = hosts.filter(({ memoryMiB }) => memoryMiB === null).map(({ name }) => name);
  return [
    durabilityNote(
      database.durability,
      hosts.map(({ name }) => name),
    ),
    ...(database.failover === 'patroni'
      ? ['database: failover patroni: this version does not configure it; a failover is yours to start']
      : []),
    ...(unknown.length === 0
      ? []
      : [
          `database: the memory of ${unknown.join(', ')} is not known: set up as for 1 GiB; see tiers.database.settings`,
        ]),
  ];
}
