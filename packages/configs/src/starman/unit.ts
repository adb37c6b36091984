import type { Host, Stack } from '@perlstack/stack';
import { headingOf } from '../files.js';
import { appLayout, unitsOf } from '../layout.js';
import {
  assignment,
  command,
  printUnit,
  specified,
  words,
  type UnitEntry,
  type UnitSection,
  type UnitText,
} from '../print/systemd.js';
import { cutAfter } from '../timeouts.js';
import type { World } from '../world.js';
import { neighbourMemory, RESERVE_MIB, workersOfUnits } from './workers.js';

/** Folders of Perl modules, those of the release's own dependencies last. */
function libraries({ app }: Stack): string[] {
  return app.build.with === 'none' ? app.lib : [...app.lib, 'local/lib/perl5'];
}

/**
 * The instance's command line. All paths are absolute and name the release, so that a worker that starts late never
 * loads another release's code; without keep-alive, because an idle connection would hold a worker.
 */
function startCommand(stack: Stack, unit: number, workers: number): UnitText {
  const { runDirectoryOf, releases } = appLayout(stack.app.name);
  return command([
    '/usr/bin/starman',
    '--listen',
    specified`${runDirectoryOf(unit)}/%i.sock`,
    '--workers',
    String(workers),
    '--max-requests',
    String(stack.app.maxRequests),
    '--disable-keepalive',
    ...(stack.app.preload ? ['--preload-app'] : []),
    ...libraries(stack).flatMap((library) => ['-I', specified`${releases}/%i/${library}`]),
    specified`${releases}/%i/${stack.app.psgi}`,
  ]);
}

function environmentEntries({ app }: Stack, open: Readonly<Record<string, string>>): UnitEntry[] {
  return [
    ...Object.entries(open).map(([name, value]): UnitEntry => ['Environment', assignment(name, value)]),
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
    // A master that ends by itself is a fault whatever its exit code: systemd takes SIGTERM and SIGPIPE for clean ends.
    ['Restart', 'always'],
    ['RestartSec', 2],
  ];
}

/**
 * Bounds within which a fault of the application leaves the rest of the host alone. No MemoryHigh: it would slow all
 * workers down for one that leaks, where the limit ends that one and the master replaces it.
 */
function limits(world: World, host: Host, workers: number): UnitEntry[] {
  const room = host.memoryMiB && host.memoryMiB - RESERVE_MIB - neighbourMemory(world, host);
  const memory = room && Math.floor(room / world.stack.app.units);
  return [
    ['LimitNOFILE', 8_192],
    ['TasksMax', Math.max(256, workers * 8)],
    ...(memory && memory > 0 ? [['MemoryMax', `${memory}M`] as const] : []),
    ['OOMPolicy', 'continue'],
    // When the whole host runs short, a worker goes before a database does, or sshd.
    ['OOMScoreAdjust', 200],
  ];
}

/** What the application prints goes to the journal; one that prints without end can't push out all else. */
function journal({ app }: Stack): UnitEntry[] {
  return [
    ['StandardOutput', 'journal'],
    ['StandardError', 'journal'],
    ['SyslogIdentifier', app.name],
    ['LogRateLimitIntervalSec', '30s'],
    ['LogRateLimitBurst', 5_000],
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

function serviceEntries(
  world: World,
  host: Host,
  open: Readonly<Record<string, string>>,
  unit: number,
): UnitEntry[] {
  const { stack } = world;
  const { user, releases } = appLayout(stack.app.name);
  const workers = workersOfUnits(world, host)[unit - 1] ?? 0;
  return [
    ['Type', 'exec'],
    ['User', user],
    ['Group', user],
    ['WorkingDirectory', specified`${releases}/%i`],
    ...environmentEntries(stack, open),
    ['ExecStart', startCommand(stack, unit, workers)],
    ...journal(stack),
    ...stopping(stack),
    ...limits(world, host, workers),
    ...sandbox(stack),
  ];
}

/** The first unit is the release; the others come and go with it. */
function unitEntries({ app }: Stack, unit: number): UnitEntry[] {
  const { templateOf } = appLayout(app.name);
  // Names of applications and units need no quoting.
  const instance = (of: number): UnitText => ({ unitText: templateOf(of).replace('@.', '@%i.') });
  if (unit > 1) {
    return [
      ['Description', specified`${app.name}, release %i, unit ${String(unit)}`],
      ['PartOf', instance(1)],
      ['After', instance(1)],
    ];
  }
  const others = unitsOf(app).slice(1).map(instance);
  return [
    ['Description', specified`${app.name}, release %i`],
    ['Wants', words('network-online.target', ...others)],
    ['After', 'network-online.target'],
  ];
}

/**
 * The systemd template of an application: one instance for each release that runs.
 *
 * @param open variables that are no secret
 * @param unit number of the unit, where a host has several
 */
export function starmanUnit(
  world: World,
  host: Host,
  open: Readonly<Record<string, string>>,
  unit: number,
): string {
  const { stack } = world;
  return printUnit(
    [headingOf(stack, host)],
    [
      {
        name: 'Unit',
        entries: [
          ...unitEntries(stack, unit),
          // However long a database is away at start: the host comes back by itself.
          ['StartLimitIntervalSec', 0],
        ],
      },
      { name: 'Service', entries: serviceEntries(world, host, open, unit) },
      ...(unit === 1 ? [INSTALL] : []),
    ],
  );
}

const INSTALL: UnitSection = { name: 'Install', entries: [['WantedBy', 'multi-user.target']] };
