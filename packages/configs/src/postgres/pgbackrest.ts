import path from 'node:path';
import { endpointOf, type Host, UserError } from '@perlstack/stack';
import type { ManagedDirectory, ManagedFile } from '../bundle.js';
import { headingOf, textFile } from '../files.js';
import { POSTGRESQL_PORT } from '../layout.js';
import { type PgbackrestSection, type PgbackrestSetting, printPgbackrest } from '../print/pgbackrest.js';
import { BACKUP_ACCESS_KEY_ID, BACKUP_CIPHER_PASSPHRASE, BACKUP_SECRET_ACCESS_KEY } from '../secrets.js';
import type { World } from '../world.js';
import type { Archiving } from './archive.js';
import { archiveLines, SHARE_OF_DISK } from './archive-lines.js';
import { megabytes } from './memory.js';
import { postgresLayout, SOCKET_FOLDER } from './names.js';
import { RESTORE_PROGRAM } from './restore-program.js';
import { UNKNOWN_DISK_MIB } from './settings.js';
import { sizesOf } from './sizing.js';

/** Where pgBackRest has its parts on every member; its stanza has the name of the stack. */
export const PGBACKREST = {
  configuration: '/etc/pgbackrest/pgbackrest.conf',
  /** The bucket's key and the passphrase: read after the configuration, by pgBackRest's own rule. */
  secrets: '/etc/pgbackrest/conf.d/perlstack.conf',
  locks: `${SOCKET_FOLDER}/pgbackrest`,
  /** What `restore_command` calls. */
  restore: '/usr/local/lib/perlstack/restore-wal',
} as const;

/** The command of one stanza, as PostgreSQL calls it. */
export const pgbackrestCommand = (stack: string, words: string): string =>
  `pgbackrest --stanza=${stack} ${words}`;

/** More fulls than there will ever be: pgBackRest's own word for "all of them". */
const ALL = 9_999_999;

/** pgBackRest as the engine of a host's backups: its settings, and what PostgreSQL is told. */
export function pgbackrestArchiving(world: World, host: Host): Archiving {
  const { stack } = world.stack;
  return {
    settings: [
      ...archiveLines(pgbackrestCommand(stack, 'archive-push "%p"')),
      // A replica that was away for longer than its primary keeps the log finds the rest in the bucket.
      ['restore_command', `${PGBACKREST.restore} ${stack} "%f" "%p"`],
    ],
    packages: ['pgbackrest'],
    directories: directories(),
    files: files(world, host),
    removes: [],
  };
}

const directories = (): ManagedDirectory[] =>
  ['/etc/pgbackrest', '/etc/pgbackrest/conf.d', path.dirname(PGBACKREST.restore)].map((folder) => ({
    ...{ path: folder, owner: 'root', group: 'root', mode: 0o755 },
  }));

function files(world: World, host: Host): ManagedFile[] {
  const heading = headingOf(world.stack, host);
  const sections: PgbackrestSection[] = [
    { name: 'global', settings: globalSettings(world, host) },
    { name: world.stack.stack, settings: stanzaSettings(world) },
  ];
  const secrets = [{ name: 'global', settings: secretSettings(world) }];
  return [
    { ...textFile(PGBACKREST.configuration, printPgbackrest(heading, sections)), effect: 'none' },
    { ...textFile(PGBACKREST.restore, RESTORE_PROGRAM), mode: 0o755, effect: 'none' },
    {
      ...textFile(PGBACKREST.secrets, printPgbackrest(heading, secrets)),
      ...{ owner: 'postgres', group: 'postgres', mode: 0o600, secret: true, effect: 'none' },
    },
  ];
}

function globalSettings(world: World, host: Host): PgbackrestSetting[] {
  const { vcpus, diskMiB } = sizesOf(world, host);
  return [
    ...repositorySettings(world),
    ['process-max', vcpus],
    ['compress-type', 'zst'],
    ['compress-level', 3],
    ['start-fast', true],
    // What says that a segment is there before it is, would say so of one that never comes there.
    ['archive-async', false],
    ['archive-timeout', 180],
    // A server that stands still because its disk is full is worse than a gap, which the next full backup closes.
    ['archive-push-queue-max', megabytes((diskMiB ?? UNKNOWN_DISK_MIB) * SHARE_OF_DISK)],
    // What goes is decided, and said, by the action; left alone, nothing does.
    ['expire-auto', false],
    ['lock-path', PGBACKREST.locks],
    ['log-level-console', 'warn'],
    ['log-level-file', 'off'],
  ];
}

function repositorySettings({ stack }: World): PgbackrestSetting[] {
  const { hostname, port } = endpointFor(stack);
  return [
    ['repo1-type', 's3'],
    ['repo1-s3-endpoint', hostname],
    ...(port === '' ? [] : ([['repo1-storage-port', Number(port)]] as const)),
    ['repo1-s3-uri-style', 'path'],
    ['repo1-s3-region', hostname.split('.')[0] ?? ''],
    ['repo1-s3-bucket', stack.backups?.bucket ?? ''],
    ['repo1-path', `/${stack.stack}/pgbackrest`],
    ['repo1-storage-verify-tls', true],
    ['repo1-bundle', true],
    ['repo1-cipher-type', stack.backups?.encrypt ? 'aes-256-cbc' : 'none'],
    ['repo1-retention-full-type', 'count'],
    ['repo1-retention-full', ALL],
  ];
}

/** @throws UserError for an address, which pgBackRest does not look for in certificates */
function endpointFor(stack: World['stack']): URL {
  const url = new URL(endpointOf(stack));
  if (!/^[\d.]+$/.test(url.hostname)) return url;
  throw new UserError(
    `backups.endpoint: pgBackRest finds no address in a certificate, so ${url.hostname} would never be trusted; give its name`,
  );
}

function stanzaSettings({ platform }: World): PgbackrestSetting[] {
  return [
    ['pg1-path', postgresLayout(platform.postgresql).data],
    ['pg1-port', POSTGRESQL_PORT],
    ['pg1-socket-path', SOCKET_FOLDER],
  ];
}

function secretSettings({ stack, secrets }: World): PgbackrestSetting[] {
  const secret = (name: string): string => writable(name, secrets[name] ?? '');
  const key: PgbackrestSetting[] = [
    ['repo1-s3-key', secret(BACKUP_ACCESS_KEY_ID)],
    ['repo1-s3-key-secret', secret(BACKUP_SECRET_ACCESS_KEY)],
  ];
  return stack.backups?.encrypt ? [...key, ['repo1-cipher-pass', secret(BACKUP_CIPHER_PASSPHRASE)]] : key;
}

/** @throws UserError for what would not be read back as it was written. The value is not in the message. */
function writable(name: string, value: string): string {
  if (value === value.trim() && !/[\u0000-\u001f\u007f]/.test(value)) return value;
  throw new UserError(
    `backups: the secret ${name} begins or ends with a space, or has several lines, which pgBackRest cannot read back; choose another`,
  );
}
