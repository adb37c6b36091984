import type { Host, Stack } from '@perlstack/stack';
import { headingOf } from '../files.js';
import { command, printUnit, type UnitEntry } from '../print/systemd.js';
import { REDIS, SENTINEL, type ServerLayout } from './layout.js';
import { DOWN_AFTER_MS } from './settings.js';

/** A restart must not outrun the Sentinels where it would bring back an empty primary, in seconds. */
const AFTER_FAILOVER_SEC = (3 * DOWN_AFTER_MS) / 1_000;

function serviceEntries(
  program: string,
  { liveFile, folder, script }: ServerLayout,
  files: readonly string[],
): UnitEntry[] {
  const includes = files.flatMap((file) => ['--include', `${folder}/${file}`]);
  return [
    // A list of commands is emptied by an empty one. What is included comes after the live file, and wins.
    ['ExecStart', ''],
    ['ExecStart', command([program, liveFile, ...includes, '--supervised', 'systemd', '--daemonize', 'no'])],
    ['ExecStartPost', `+${script} apply`],
    ['ExecReload', `+${script} apply`],
    ['ExecStop', ''],
    ['ExecStop', `+${script} stop`],
    // Debian's names a file that is not written: the program itself says that it is ready.
    ['PIDFile', ''],
    // Loading the data is part of it.
    ['TimeoutStartSec', '15min'],
  ];
}

const INCLUDED = ['start.conf', 'settings.conf', 'secrets.conf'];

/** What is added to Debian's redis-server.service. */
export function redisUnit(stack: Stack, host: Host): string {
  const cache = stack.tiers.cache;
  const holdBack = cache?.persistence === 'none' && cache.failover === 'sentinel';
  return printUnit(
    [headingOf(stack, host)],
    [
      {
        name: 'Unit',
        entries: [
          // The private address has to be there to listen on.
          ['Wants', 'network-online.target'],
          ['After', 'network-online.target'],
          ['StartLimitIntervalSec', 0],
        ],
      },
      {
        name: 'Service',
        entries: [
          ...serviceEntries('/usr/bin/redis-server', REDIS, INCLUDED),
          ['RestartSec', holdBack ? AFTER_FAILOVER_SEC : 1],
        ],
      },
    ],
  );
}

/** What is added to Debian's redis-sentinel.service. */
export function sentinelUnit(stack: Stack, host: Host): string {
  return printUnit(
    [headingOf(stack, host)],
    [
      {
        name: 'Unit',
        entries: [
          ['Wants', 'network-online.target'],
          ['After', 'network-online.target redis-server.service'],
          ['StartLimitIntervalSec', 0],
        ],
      },
      {
        name: 'Service',
        entries: [...serviceEntries('/usr/bin/redis-sentinel', SENTINEL, INCLUDED), ['RestartSec', 1]],
      },
    ],
  );
}
