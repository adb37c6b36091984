import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { hostsOfRole, type Host, platformOf } from '@perlstack/stack';
import type { ServiceConfig } from '../bundle.js';
import { type Example, exampleHost, EXAMPLES, exampleStack, FULL_EXAMPLE } from '../examples.js';
import type { Renderer, World } from '../world.js';
import { accessNotes, firewall } from './firewall.js';
import { sshd } from './sshd.js';
import { sudo } from './sudo.js';

const worldOf = ({ stack, inventory, secrets }: Pick<Example, 'stack' | 'inventory' | 'secrets'>): World => ({
  ...{ stack, inventory, secrets, tls: null, platform: platformOf(stack) },
  role: (role) => hostsOfRole(stack, inventory, role),
});
const serviceOf = (renderer: Renderer, world: World, name: string): ServiceConfig | undefined => {
  const host = world.inventory.hosts.find((one) => one.name === name);
  return host ? renderer(world, host)?.service : undefined;
};
const textOf = (renderer: Renderer, world: World, name: string): string =>
  serviceOf(renderer, world, name)?.files.at(0)?.content ?? '';

const KEY = `SHA256:${'A'.repeat(43)}`;
const SSH = { address: '203.0.113.10', port: 22, user: 'deploy', hostKeys: [KEY], via: null };
/** One web host of ours, through which SSH reaches an app host; a database server that existed before. */
const MIXED = (changes: Partial<Host['ssh']> = {}): World =>
  worldOf({
    stack: exampleStack(
      `stack: shop\nregion: us-ord\napp: {}\ntiers: { database: { hosts: [{ address: 198.51.100.7, hostKey: "${KEY}" }] } }\n`,
    ),
    inventory: {
      stack: 'shop',
      hosts: [
        exampleHost('web-1', '10.10.0.2', { publicAddress: '203.0.113.10', ssh: { ...SSH, ...changes } }),
        exampleHost('app-1', '10.10.1.2', {
          ssh: { ...SSH, address: '10.10.1.2', via: 'web-1', ...changes },
        }),
        exampleHost('database-1', '192.0.2.7', {
          publicAddress: '198.51.100.7',
          ssh: { ...SSH, address: '198.51.100.7', user: 'admin' },
        }),
      ],
    },
    secrets: {},
  });

describe('firewall', () => {
  it('forwards nothing on a Linode of ours, and leaves that to a server that existed before', () => {
    expect(textOf(firewall, MIXED(), 'app-1')).toContain('hook forward priority filter; policy drop;');
    expect(textOf(firewall, MIXED(), 'database-1')).not.toMatch(/forward|169\.254/);
  });

  it('replaces its own table and no other', () => {
    const { files = [], presets = [] } = serviceOf(firewall, MIXED(), 'web-1') ?? {};
    expect([...files, ...presets].map(({ content }) => content).join('')).not.toContain('flush');
    expect(presets.map(({ content }) => content).join('')).toMatch(
      /^ExecStop=\nExecStop=.*delete table inet perlstack"$/m,
    );
  });

  it('tells of what the servers lose that existed before', () => {
    expect(accessNotes(MIXED())).toEqual([expect.stringMatching(/^database-1: from now on lets in SSH and/)]);
    expect(accessNotes(worldOf(FULL_EXAMPLE))).toEqual([]);
  });

  it('leaves a host alone of whose tier the stack file knows nothing', () => {
    const world = worldOf({
      ...FULL_EXAMPLE,
      inventory: { stack: 'shop', hosts: [exampleHost('mail-1', '10.10.9.2')] },
    });
    expect(serviceOf(firewall, world, 'mail-1')).toBeUndefined();
  });
});

describe('sshd', () => {
  it('forwards on jump hosts only, and to SSH only', () => {
    expect(textOf(sshd, MIXED(), 'web-1')).toContain('AllowTcpForwarding local\nPermitOpen *:22\n');
    expect(textOf(sshd, MIXED({ port: 2_222 }), 'web-1')).toContain('\nPermitOpen *:22 *:2222\n');
    for (const name of ['app-1', 'database-1']) {
      expect(textOf(sshd, MIXED(), name)).toMatch(/\nAllowTcpForwarding no\n(?!PermitOpen)/);
    }
  });

  it('lets root in where root is who the workflow comes as, by a key', () => {
    expect(textOf(sshd, MIXED(), 'web-1')).toContain('\nPermitRootLogin no\n');
    expect(textOf(sshd, MIXED({ user: 'root' }), 'web-1')).toContain('\nPermitRootLogin prohibit-password\n');
  });
});

describe('sudo', () => {
  it('lets the user run scripts as root, and takes cloud-init’s rule away', () => {
    expect(textOf(sudo, MIXED(), 'web-1')).toMatch(/\ndeploy ALL=\(root\) NOPASSWD: \/usr\/bin\/sh -c \*\n$/);
    expect(serviceOf(sudo, MIXED(), 'web-1')?.removes).toEqual(['/etc/sudoers.d/90-cloud-init-users']);
  });

  it('has no business on servers that existed before, or where the workflow comes as root', () => {
    expect(serviceOf(sudo, MIXED(), 'database-1')).toBeUndefined();
    expect(serviceOf(sudo, MIXED({ user: 'root' }), 'web-1')).toBeUndefined();
  });

  it('refuses a user whom sudo would take for something else', () => {
    expect(() => textOf(sudo, MIXED({ user: 'ALL' }), 'web-1')).toThrow('the user "ALL"');
  });
});

// The programs themselves, asked as converge asks them: with the files mounted over the real folders.
const asRoot = process.getuid?.() === 0;
const answers = (...argv: string[]) => spawnSync(argv[0] ?? '', argv.slice(1)).status === 0;
const withAll =
  asRoot &&
  existsSync('/usr/sbin/sshd') &&
  answers('visudo', '-V') &&
  answers('unshare', '--net', 'nft', '-v');

(withAll ? describe : describe.skip)('nft, sshd and visudo (need all three, unshare and root)', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'access-'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  const RUN = `
    set -e
    mount -t overlay -o lowerdir="$1/etc:/etc" none /etc
    mount -t tmpfs none /run
    mkdir -p /run/sshd
    shift
    exec "$@"
  `;

  /** What its checkers say to a service of a host. */
  async function check(service: ServiceConfig, change = (text: string) => text): Promise<string> {
    const key = path.join(folder, 'etc/ssh/ssh_host_ed25519_key');
    await mkdir(path.dirname(key), { recursive: true });
    if (!existsSync(key)) spawnSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', key]);
    for (const { path: file, content, mode } of service.files) {
      await mkdir(path.dirname(path.join(folder, file)), { recursive: true });
      await writeFile(path.join(folder, file), change(content), { mode });
    }
    const said = service.validate
      .filter(([program]) => program !== 'runuser')
      .map((argv) => {
        const all = ['--net', '--mount', 'sh', '-c', RUN, 'sh', folder, ...argv];
        const { status, stdout, stderr } = spawnSync('unshare', all, { encoding: 'utf8' });
        return status === 0 ? '' : `${stdout}${stderr}` || `ended with ${status}`;
      });
    return said.join('');
  }

  it.each(
    Object.entries(EXAMPLES).flatMap(([example, of]) =>
      of.inventory.hosts.map(({ name }) => [`${name} of ${example}`, of, name] as const),
    ),
  )('accept the files of %s', async (_what, example, name) => {
    for (const renderer of [firewall, sshd, sudo]) {
      const service = serviceOf(renderer, worldOf(example), name);
      expect(service && (await check(service))).toBe('');
    }
  });

  it.each<[string, Renderer, string]>([
    ['nft', firewall, 'table inet perlstack { nonsense }'],
    ['sshd', sshd, 'Nonsense yes'],
    ['visudo', sudo, 'nonsense ALL'],
  ])('are really asked: %s', async (_what, renderer, nonsense) => {
    const service = serviceOf(renderer, worldOf(FULL_EXAMPLE), 'web-1');
    expect(service && (await check(service, (text) => `${text}${nonsense}\n`))).not.toBe('');
  });

  it('see that passwords are still let in', async () => {
    const service = serviceOf(sshd, worldOf(FULL_EXAMPLE), 'web-1');
    const said = service && (await check(service, (text) => text.replace('PasswordAuthentication no', '')));
    expect(said).toContain('lets passwords in: put that line first');
  });
});
