import { UserError, type Host, type Stack } from '@perlstack/stack';
import { headingOf } from '../files.js';
import { appLayout } from '../layout.js';
import {
  assignment,
  command,
  printUnit,
  specified,
  words,
  type UnitEntry,
  type UnitText,
} from '../print/systemd.js';
import { cutAfter } from '../timeouts.js';
import { workersOf } from './workers.js';

/** Variables that the unit sets itself. */
const OWN_VARIABLES = ['RELEASE'];

/** Folders of Perl modules, those of the release's own dependencies last. */
function libraries({ app }: Stack): string[] {
  return app.build.with === 'none' ? app.lib : [...app.lib, 'local/lib/perl5'];
}

/**
 * The instance's command line. All paths are absolute and name the release, so that a worker that starts late never
 * loads another release's code; without keep-alive, because an idle connection would hold a worker.
 */
function startCommand(stack: Stack, host: Host): UnitText {
  const { runDirectory, releases } = appLayout(stack.app.name);
  return command([
    '/usr/bin/starman',
    '--listen',
    specified`${runDirectory}/%i.sock`,
    '--workers',
    String(workersOf(stack, host)),
    '--max-requests',
    String(stack.app.maxRequests),
    '--disable-keepalive',
    ...(stack.app.preload ? ['--preload-app'] : []),
    ...libraries(stack).flatMap((library) => ['-I', specified`${releases}/%i/${library}`]),
    specified`${releases}/%i/${stack.app.psgi}`,
  ]);
}

function environment({ app }: Stack): UnitEntry[] {
  const taken = [...Object.keys(app.env), ...app.secrets].find((name) => OWN_VARIABLES.includes(name));
  if (taken) throw new UserError(`app: perlstack sets the variable ${taken} itself; choose another name`);
  const twice = app.secrets.find((name) => Object.hasOwn(app.env, name));
  if (twice) throw new UserError(`app: ${twice} stands in both env and secrets; remove one of them`);
  return [
    ...Object.entries(app.env).map(([name, value]): UnitEntry => ['Environment', assignment(name, value)]),
    ['Environment', assignment('RELEASE', specified`%i`)],
    ['EnvironmentFile', words(specified`-${appLayout(app.name).environmentFile}`)],
  ];
}

/** QUIT goes to the master only: it lets the workers finish, where a worker that gets it itself drops its request. */
function stopping(stack: Stack): UnitEntry[] {
  return [
    ['KillMode', 'mixed'],
    ['KillSignal', 'SIGQUIT'],
    ['TimeoutStopSec', Math.ceil(cutAfter(stack).stop / 1_000)],
    ['Restart', 'on-failure'],
    ['RestartSec', 2],
    // One worker that runs out of memory is replaced; the others go on.
    ['OOMPolicy', 'continue'],
  ];
}

/** What is left of the system for the application: its release to read, its own folders to write. */
function sandbox({ app }: Stack): UnitEntry[] {
  const { runDirectory } = appLayout(app.name);
  return [
    // Sockets belong to the application's group, which nginx's workers share.
    ['UMask', '0007'],
    ['StateDirectory', app.name],
    ['StateDirectoryMode', '0750'],
    ['CacheDirectory', app.name],
    ['CacheDirectoryMode', '0750'],
    ['LogsDirectory', app.name],
    ['LogsDirectoryMode', '0750'],
    ['ReadWritePaths', words(runDirectory)],
    ['ProtectSystem', 'strict'],
    ['ProtectHome', true],
    ['PrivateTmp', true],
    ['PrivateDevices', true],
    ['ProtectProc', 'invisible'],
    ['ProtectClock', true],
    ['ProtectHostname', true],
    ['ProtectControlGroups', true],
    ['ProtectKernelLogs', true],
    ['ProtectKernelModules', true],
    ['ProtectKernelTunables', true],
    ['NoNewPrivileges', true],
    ['CapabilityBoundingSet', ''],
    ['RestrictAddressFamilies', words('AF_UNIX', 'AF_INET', 'AF_INET6')],
    ['RestrictNamespaces', true],
    ['RestrictRealtime', true],
    ['RestrictSUIDSGID', true],
    ['LockPersonality', true],
    ['KeyringMode', 'private'],
    ['SystemCallArchitectures', 'native'],
    ['SystemCallFilter', '@system-service'],
    ['SystemCallErrorNumber', 'EPERM'],
  ];
}

function serviceEntries(stack: Stack, host: Host): UnitEntry[] {
  const { user, releases } = appLayout(stack.app.name);
  return [
    ['Type', 'exec'],
    ['User', user],
    ['Group', user],
    ['WorkingDirectory', specified`${releases}/%i`],
    ...environment(stack),
    ['ExecStart', startCommand(stack, host)],
    ['SyslogIdentifier', stack.app.name],
    ...stopping(stack),
    ...sandbox(stack),
  ];
}

/** The systemd template of an application: one instance for each release that runs. */
export function starmanUnit(stack: Stack, host: Host): string {
  return printUnit(
    [headingOf(stack, host)],
    [
      {
        name: 'Unit',
        entries: [
          ['Description', specified`${stack.app.name}, release %i`],
          ['Wants', 'network-online.target'],
          ['After', 'network-online.target'],
          // However long a database is away at start: the host comes back by itself.
          ['StartLimitIntervalSec', 0],
        ],
      },
      { name: 'Service', entries: serviceEntries(stack, host) },
      { name: 'Install', entries: [['WantedBy', 'multi-user.target']] },
    ],
  );
}
