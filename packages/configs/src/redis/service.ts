import { createHash } from 'node:crypto';
import { privateAddressOf } from '../addresses.js';
import type { ManagedFile, Member, ServiceConfig } from '../bundle.js';
import { headingOf, textFile } from '../files.js';
import { REDIS_PORT, SENTINEL_PORT } from '../layout.js';
import { ARCHIVE_PACKAGES } from '../postgres/archive.js';
import { printRedis, redisWord, type RedisSetting } from '../print/redis.js';
import type { Renderer, World } from '../world.js';
import { REDIS, SCRIPTS, SENTINEL, SYSCTL, UNITS, type ServerLayout } from './layout.js';
import { redisScript, sentinelScript } from './scripts.js';
import {
  persistence,
  quorumOf,
  redisPassword,
  redisSecrets,
  redisSettings,
  redisStart,
  sentinelSecrets,
  sentinelSettings,
  sentinelStart,
} from './settings.js';
import { redisUnit, sentinelUnit } from './units.js';

export { redisNotes } from './notes.js';

/** What sends a snapshot and fetches it back: the same as for PostgreSQL, which brings its Perl along. */
const BACKUP_PACKAGES = [...ARCHIVE_PACKAGES, 'perl'];

/** What differs between Redis and Sentinel on a host. */
interface Program {
  readonly layout: ServerLayout;
  readonly start: readonly RedisSetting[];
  readonly settings: readonly RedisSetting[];
  readonly secrets: readonly RedisSetting[];
  readonly script: string;
  readonly dropIn: string;
}

/** Only root, and where it says so the program too, may read it. */
function secretFile(path: string, content: string, group: 'root' | 'redis'): ManagedFile {
  return {
    path,
    content,
    owner: 'root',
    group,
    mode: group === 'root' ? 0o600 : 0o640,
    secret: true,
    effect: 'reload',
  };
}

/** The user as whom everybody logs in. Redis keeps no password but its SHA-256, and so do we. */
function usersFile(password: string): string {
  const hash = createHash('sha256').update(password).digest('hex');
  return `user default on #${hash} ~* &* +@all\n`;
}

function filesOf(
  { layout, start, settings, secrets, script, dropIn }: Program,
  heading: string,
  password: string,
): ManagedFile[] {
  const inFolder = (name: string, list: readonly RedisSetting[]): ManagedFile =>
    textFile(`${layout.folder}/${name}`, printRedis(heading, list));
  return [
    { ...textFile(`${UNITS}/${layout.unit}.d/perlstack.conf`, dropIn), effect: 'restart' },
    { ...textFile(layout.script, script), mode: 0o755, effect: 'reload' },
    { ...inFolder('start.conf', start), effect: 'restart' },
    { ...inFolder('settings.conf', settings), effect: 'reload' },
    secretFile(`${layout.folder}/secrets.conf`, printRedis(heading, secrets), 'redis'),
    secretFile(`${layout.folder}/users.acl`, usersFile(password), 'redis'),
    secretFile(layout.passwordFile, `AUTH ${redisWord(password, 'the password')}\n`, 'root'),
  ];
}

function serviceOf(
  layout: ServerLayout,
): Pick<ServiceConfig, 'directories' | 'removes' | 'roots' | 'validate' | 'daemonReload' | 'probe'> {
  const folder = (path: string) => ({ path, owner: 'root', group: 'root', mode: 0o755 });
  return {
    directories: [folder('/etc/perlstack'), folder(layout.folder)],
    removes: [],
    roots: [layout.folder, SCRIPTS, UNITS],
    validate: [
      ['systemd-analyze', 'verify', '--man=no', `/usr/lib/systemd/system/${layout.unit}`],
      [layout.script, 'check'],
    ],
    daemonReload: true,
    probe: [[layout.script, 'verify']],
  };
}

const membersOf = (world: World): Member[] =>
  world.role('cache').map((host) => ({ host: host.name, address: privateAddressOf(host) }));

/** Redis on a cache host. Who is primary stands in no rendered file: that is for Redis and its Sentinels to say. */
export const redis: Renderer = (world, host) => {
  const { stack, platform } = world;
  const password = redisPassword(world);
  const heading = headingOf(stack, host);
  const quorum = quorumOf(world);
  const files = filesOf(
    {
      layout: REDIS,
      start: redisStart(host),
      settings: redisSettings(world, host),
      secrets: redisSecrets(password),
      script: redisScript(heading),
      dropIn: redisUnit(stack, host),
    },
    heading,
    password,
  );
  const persistenceFile = textFile(
    `${REDIS.folder}/persistence.conf`,
    printRedis(heading, persistence(world)),
  );
  return {
    service: {
      name: 'redis',
      packages: ['redis-server', ...(stack.backups ? BACKUP_PACKAGES : [])],
      ...serviceOf(REDIS),
      files: [...files, { ...persistenceFile, effect: 'reload' }, sysctlFile(heading)],
      unit: { name: REDIS.unit, enabled: true, state: 'running', onChange: 'reload', restartAsks: true },
      engine: {
        kind: 'redis',
        version: platform.redis,
        port: REDIS_PORT,
        liveFile: REDIS.liveFile,
        passwordFile: REDIS.passwordFile,
        members: membersOf(world),
        sentinels: quorum === null ? [] : membersOf(world),
        service: stack.app.name,
      },
    },
  };
};

/** A fork of a large Redis is refused by a kernel that wants to have its memory twice. */
function sysctlFile(heading: string): ManagedFile {
  return { ...textFile(SYSCTL, `# ${heading}\nvm.overcommit_memory = 1\n`), effect: 'reload' };
}

/** A Sentinel on a cache host, where failover is theirs. */
export const sentinel: Renderer = (world, host) => {
  const quorum = quorumOf(world);
  if (quorum === null) return null;
  const { stack, platform } = world;
  const password = redisPassword(world);
  const heading = headingOf(stack, host);
  return {
    service: {
      name: 'sentinel',
      after: world.role('cache').map(({ name }) => ({ host: name, service: 'redis' })),
      packages: ['redis-sentinel'],
      ...serviceOf(SENTINEL),
      files: filesOf(
        {
          layout: SENTINEL,
          start: sentinelStart(host),
          settings: sentinelSettings(world, host),
          secrets: sentinelSecrets(world, password),
          script: sentinelScript(heading, stack.app.name, quorum),
          dropIn: sentinelUnit(stack, host),
        },
        heading,
        password,
      ),
      // The others go on watching while one restarts.
      unit: { name: SENTINEL.unit, enabled: true, state: 'running', onChange: 'reload' },
      engine: {
        kind: 'sentinel',
        version: platform.redis,
        port: SENTINEL_PORT,
        liveFile: SENTINEL.liveFile,
        passwordFile: SENTINEL.passwordFile,
        members: membersOf(world),
        watched: membersOf(world),
        watchedPort: REDIS_PORT,
        service: stack.app.name,
        quorum,
      },
    },
  };
};
