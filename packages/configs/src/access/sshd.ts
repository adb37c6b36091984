import { type Host, jumpTier } from '@perlstack/stack';
import { headingOf, textFile } from '../files.js';
import { printSshdConfig, type SshdEntry } from '../print/sshd.js';
import type { Renderer, World } from '../world.js';

const ROOT = '/etc/ssh';
/** The first value that sshd reads counts: before cloud-init's 50-cloud-init.conf and the file that includes them. */
const FILE = `${ROOT}/sshd_config.d/00-perlstack.conf`;

/** sshd may read no such files at all; that it lets passwords in then, nobody would notice. */
const IN_FORCE = `
/usr/sbin/sshd -T -C "user=$1,host=localhost,addr=127.0.0.1,laddr=127.0.0.1,lport=22" |
  grep -qx 'passwordauthentication no' && exit 0
echo 'what stands before "Include ${ROOT}/sshd_config.d/*.conf" in ${ROOT}/sshd_config, or a file there that comes' \\
  'before ours, lets passwords in: put that line first' >&2
exit 1
`;

const behindByWorld = new WeakMap<World, ReadonlyMap<string, ReadonlySet<number>>>();

/** Ports of SSH on the hosts that are reached through each host; computed once for a world. */
function behind(world: World): ReadonlyMap<string, ReadonlySet<number>> {
  const known = behindByWorld.get(world);
  if (known) return known;
  const ports = new Map<string, Set<number>>();
  for (const { ssh } of world.inventory.hosts) {
    if (ssh.via !== null) ports.set(ssh.via, (ports.get(ssh.via) ?? new Set()).add(ssh.port));
  }
  behindByWorld.set(world, ports);
  return ports;
}

/** Whether SSH reaches other hosts through this one. */
function isJump(world: World, host: Host): boolean {
  return host.tier === jumpTier(world.stack) || behind(world).has(host.name);
}

/** What a jump host leads to. */
function permitted(world: World, host: Host): string[] {
  const ports = new Set([22, ...(behind(world).get(host.name) ?? [])]);
  return [...ports].sort((one, other) => one - other).map((port) => `*:${port}`);
}

function forwarding(world: World, host: Host): SshdEntry[] {
  const jump = isJump(world, host);
  return [
    ['AllowTcpForwarding', jump ? 'local' : 'no'],
    ...(jump ? [['PermitOpen', ...permitted(world, host)] as const] : []),
    ['AllowStreamLocalForwarding', false],
    ['AllowAgentForwarding', false],
    ['X11Forwarding', false],
    ['PermitTunnel', false],
    ['GatewayPorts', false],
  ];
}

function config(world: World, host: Host): string {
  return printSshdConfig(headingOf(world.stack, host), [
    {
      comment: 'Keys alone.',
      entries: [
        ['PermitRootLogin', host.ssh.user === 'root' ? 'prohibit-password' : 'no'],
        ['PubkeyAuthentication', true],
        ['PasswordAuthentication', false],
        ['KbdInteractiveAuthentication', false],
        ['AuthenticationMethods', 'publickey'],
        ['PermitEmptyPasswords', false],
        ['PermitUserEnvironment', false],
      ],
    },
    {
      comment: isJump(world, host)
        ? 'The way to other hosts of the stack, to their SSH.'
        : 'No way to elsewhere.',
      entries: forwarding(world, host),
    },
    {
      comment: 'A run opens its connections at once and has several commands on each.',
      entries: [
        ['MaxStartups', '60:30:200'],
        ['MaxSessions', 20],
        ['LoginGraceTime', 30],
        ['ClientAliveInterval', 30],
        ['ClientAliveCountMax', 4],
      ],
    },
    {
      comment: 'Of what this version has, without its older algorithms.',
      entries: [
        [
          'KexAlgorithms',
          '-diffie-hellman-group1-*,diffie-hellman-group14-*,diffie-hellman-group-exchange-*,ecdh-sha2-*',
        ],
        ['Ciphers', '-*-cbc,aes192-ctr'],
        ['MACs', '-hmac-sha1*,umac-64*,umac-128@openssh.com,hmac-sha2-256,hmac-sha2-512'],
      ],
    },
    { comment: 'Which key came in, for the journal.', entries: [['LogLevel', 'VERBOSE']] },
  ]);
}

/** OpenSSH's server on every host, hardened: right for 9.2 to 10.0. */
export const sshd: Renderer = (world, host) => ({
  service: {
    name: 'sshd',
    packages: ['openssh-server'],
    directories: [],
    files: [{ ...textFile(FILE, config(world, host)), mode: 0o600 }],
    removes: [],
    roots: [ROOT],
    validate: [
      ['/usr/sbin/sshd', '-t'],
      ['sh', '-c', IN_FORCE, 'sshd', host.ssh.user],
    ],
    unit: { name: 'ssh.service', enabled: true, state: 'running', onChange: 'reload' },
    daemonReload: false,
    probe: [],
    guardsAccess: true,
  },
});
