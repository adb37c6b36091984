import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import {
  type FirewallRule,
  type FirewallSpec,
  type HostCloud,
  type HostSpec,
  CLIENT_ADDRESS,
  command,
  createHostCloud,
  findClouds,
  openHostCloud,
  removeCloud,
  whyNoHosts,
} from '@perlstack/local-cloud';

// The first run builds the image.
jest.setTimeout(300_000);

const run = promisify(execFile);
const obstacle = await whyNoHosts();
const describeHosts = obstacle === null ? describe : describe.skip;

/** Why this kernel can't delay packets, or `null`; tried in a network of its own that ends with the command. */
async function whyNoDelay(): Promise<string | null> {
  const delay = ['tc', 'qdisc', 'add', 'dev', 'lo', 'root', 'netem', 'delay', '1ms'];
  return run('unshare', ['--net', ...delay]).then(
    () => null,
    () => 'the kernel has no netem',
  );
}
const noDelay = obstacle ?? (await whyNoDelay());

/** An SSH key pair: for the user whom cloud-init makes, and for the hosts. */
async function makeKey(
  dir: string,
  name: string,
): Promise<{ file: string; privateKey: string; publicKey: string }> {
  const file = join(dir, name);
  await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', '', '-f', file]);
  return {
    file,
    privateKey: await readFile(file, 'utf8'),
    publicKey: (await readFile(`${file}.pub`, 'utf8')).trim(),
  };
}

function userData(
  user: { publicKey: string },
  host: { privateKey: string; publicKey: string },
  name: string,
): string {
  const config = {
    hostname: name,
    preserve_hostname: false,
    disable_root: true,
    ssh_deletekeys: true,
    ssh_keys: { ed25519_private: host.privateKey, ed25519_public: host.publicKey },
    users: [
      {
        name: 'deploy',
        lock_passwd: true,
        shell: '/bin/bash',
        sudo: 'ALL=(ALL) NOPASSWD:ALL',
        ssh_authorized_keys: [user.publicKey],
      },
    ],
    write_files: [{ path: '/etc/stack', content: 'shop\n', permissions: '0640' }],
    runcmd: [['touch', '/etc/ran']],
  };
  return `#cloud-config\n${JSON.stringify(config)}\n`;
}

type Keys = Record<'user' | 'host', Awaited<ReturnType<typeof makeKey>>>;

/** web-1 and web-2 have a public and a private address, app-1 a private one only, in another subnet. */
function hostSpec(keys: Keys, number: number, name: string, image = 'linode/debian13'): HostSpec {
  const isPublic = name.startsWith('web');
  const subnet = isPublic ? 1 : 2;
  const common = { prefix: 24, nat11: null };
  const vpc = { kind: 'vpc' as const, vpcId: 5, subnetId: subnet, defaultRoute: !isPublic, ...common };
  const internet = { kind: 'public' as const, vpcId: null, subnetId: null, defaultRoute: true, ...common };
  const privateLink = {
    ...vpc,
    id: 200 + number,
    mac: `f2:3c:01:00:00:0${number}`,
    ipv4: `10.0.${subnet}.${10 + number}`,
    gateway: `10.0.${subnet}.1`,
  };
  const publicLink = {
    ...internet,
    id: 100 + number,
    mac: `f2:3c:00:00:00:0${number}`,
    ipv4: `203.0.113.${10 + number}`,
    gateway: '203.0.113.1',
  };
  return {
    id: 1000 + number,
    label: `shop-${name}`,
    image,
    memoryMiB: 1024,
    vcpus: 1,
    region: 'se-sto',
    type: 'g6-nanode-1',
    userData: userData(keys.user, keys.host, name),
    authorizedKeys: [],
    interfaces: isPublic ? [publicLink, privateLink] : [privateLink],
  };
}

function firewall(
  inbound: Partial<FirewallRule>[],
  outboundPolicy: 'ACCEPT' | 'DROP' = 'ACCEPT',
): FirewallSpec {
  const rule: FirewallRule = { action: 'ACCEPT', protocol: 'TCP', ports: null, ipv4: ['0.0.0.0/0'] };
  return {
    inboundPolicy: 'DROP',
    outboundPolicy,
    inbound: inbound.map((part) => ({ ...rule, ...part })),
    outbound: [],
  };
}

/** What of a cloud is left on the machine: namespaces, mounts, control groups, processes. */
async function traces(id: string): Promise<string[]> {
  const prefix = `perlstack-${id}`;
  const namespaces = (await run('ip', ['netns', 'list'])).stdout
    .split('\n')
    .filter((line) => line.startsWith(prefix));
  const mounts = (await readFile('/proc/self/mounts', 'utf8'))
    .split('\n')
    .filter((line) => line.includes(`/clouds/${id}/`));
  const groups = (
    await run('find', ['/sys/fs/cgroup', '-maxdepth', '3', '-name', `${prefix}*`])
  ).stdout.split('\n');
  return [...namespaces, ...mounts, ...groups.filter(Boolean), ...(await processesNaming(prefix))];
}

async function processesNaming(text: string): Promise<string[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const lines = await Promise.all(
    pids.map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')),
  );
  return lines.filter((line) => line.includes(text));
}

/** Waits until something is so; the test's own time limit ends it. */
async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await sleep(100);
}

describeHosts(`real hosts${obstacle === null ? '' : ` (${obstacle})`}`, () => {
  let dir: string;
  let keys: Keys;
  let cloud: HostCloud;

  const spec = (name: string): HostSpec =>
    hostSpec(keys, ['web-1', 'web-2', 'app-1'].indexOf(name) + 1, name);

  const sshOptions = (): string[] => [
    ...['-i', keys.user.file, '-o', 'BatchMode=yes', '-o', 'ConnectTimeout=3', '-o', 'LogLevel=ERROR'],
    ...['-o', 'StrictHostKeyChecking=yes', '-o', `UserKnownHostsFile=${join(dir, 'known_hosts')}`],
  ];
  const ssh = async (host: string, script: string): Promise<string> =>
    (await command(cloud.inInternet(['ssh', ...sshOptions(), `deploy@${host}`, script]))).stdout.trim();
  /** HTTP status as a client in the internet sees it, `000` for none. */
  const httpStatus = async (url: string): Promise<string> => {
    const argv = ['curl', '-s', '-o', '/dev/null', '-w', '%{http_code}', '--max-time', '1', url];
    return (await command(cloud.inInternet(argv), { okCodes: [0, 7, 28] })).stdout;
  };
  const console_ = async (host: string, ...argv: string[]): Promise<string> =>
    (await cloud.exec(host, argv, { okCodes: [0, 1, 3] })).stdout.trim();
  const start = async (one: HostSpec): Promise<void> => {
    await cloud.driver.create(one);
    await cloud.driver.boot(one.id);
    await cloud.waitForSsh(one.id);
  };

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'hosts-test-'));
    keys = { user: await makeKey(dir, 'user'), host: await makeKey(dir, 'host') };
    await writeFile(join(dir, 'known_hosts'), `203.0.113.*,10.0.*.* ${keys.host.publicKey}\n`);
    cloud = await createHostCloud({ log: (line) => process.stderr.write(`${line}\n`) });
    await Promise.all(['web-1', 'web-2', 'app-1'].map((name) => start(spec(name))));
  });

  afterAll(async () => {
    await cloud.close();
    await rm(dir, { recursive: true });
  });

  it('applies user data with the real cloud-init, and SSH finds the host key that was given', async () => {
    expect(await ssh('203.0.113.11', 'hostname; sudo -n id -u; sudo cat /etc/stack; cloud-id')).toBe(
      'web-1\n0\nshop\nakamai',
    );
    expect(await ssh('203.0.113.11', 'cloud-init status --wait; ls /etc/ran')).toContain('/etc/ran');
    expect(await ssh('203.0.113.11', 'systemctl is-system-running --wait')).toBe('running');
  });

  it('refuses a host key that was not given', async () => {
    const other = await makeKey(dir, 'other');
    await writeFile(join(dir, 'known_hosts.other'), `203.0.113.11 ${other.publicKey}\n`);
    const options = [...sshOptions(), '-o', `UserKnownHostsFile=${join(dir, 'known_hosts.other')}`];
    const ordered = [...options.slice(-2), ...options.slice(0, -2)];
    const argv = cloud.inInternet(['ssh', ...ordered, 'deploy@203.0.113.11', 'true']);
    await expect(command(argv)).rejects.toThrow(/Host key verification failed/);
  });

  it('installs packages without a network', async () => {
    const install = 'sudo DEBIAN_FRONTEND=noninteractive apt-get install --yes --quiet nginx';
    await Promise.all(
      ['203.0.113.11', '203.0.113.12'].map((host) => ssh(host, `sudo apt-get update && ${install}`)),
    );
    expect(await httpStatus('http://203.0.113.11/')).toBe('200');
  });

  it('keeps the internet out of the VPC, and routes between its subnets', async () => {
    expect(await httpStatus('http://10.0.1.11/')).toBe('000');
    expect(
      await console_(
        'shop-app-1',
        'curl',
        '-s',
        '-o',
        '/dev/null',
        '-w',
        '%{http_code}',
        'http://10.0.1.11/',
      ),
    ).toBe('200');
    const outside = [
      'curl',
      '-s',
      '-o',
      '/dev/null',
      '-w',
      '%{http_code}',
      '--max-time',
      '1',
      'http://203.0.113.12/',
    ];
    expect(await console_('shop-app-1', 'sh', '-c', `${outside.join(' ')} || true`)).toBe('000');
    const jump = `ProxyCommand=ssh ${sshOptions().join(' ')} -W %h:%p deploy@203.0.113.11`;
    const argv = ['ssh', ...sshOptions(), '-o', jump, 'deploy@10.0.2.13', 'hostname'];
    expect((await command(cloud.inInternet(argv))).stdout.trim()).toBe('app-1');
  });

  it('shows each host its own metadata, and only with a token', async () => {
    const url = 'http://169.254.169.254/v1';
    const script = `t=$(curl -s -X PUT -H 'Metadata-Token-Expiry-Seconds: 60' ${url}/token); curl -s -H "Metadata-Token: $t" ${url}/instance`;
    expect(await console_('shop-web-2', 'sh', '-c', script)).toContain('label: shop-web-2');
    expect(await console_('shop-app-1', 'sh', '-c', script)).toContain('label: shop-app-1');
    expect(
      await console_('shop-web-2', 'curl', '-s', '-o', '/dev/null', '-w', '%{http_code}', `${url}/user-data`),
    ).toBe('401');
  });

  it('lets a firewall be felt, whatever the host does to its own rules', async () => {
    await cloud.driver.setFirewall(1001, 101, firewall([{ ports: '22', ipv4: [`${CLIENT_ADDRESS}/32`] }]));
    await console_('shop-web-1', 'nft', 'flush', 'ruleset');
    expect(await httpStatus('http://203.0.113.11/')).toBe('000');
    expect(await ssh('203.0.113.11', 'hostname')).toBe('web-1');
    await cloud.driver.setFirewall(1001, 101, firewall([{ ports: '80' }], 'DROP'));
    expect(await httpStatus('http://203.0.113.11/')).toBe('200');
    await expect(ssh('203.0.113.11', 'true')).rejects.toThrow(/timed out/);
    const out = 'curl -s -o /dev/null -w "%{http_code}" --max-time 1 http://203.0.113.12/ || true';
    expect(await console_('shop-web-1', 'sh', '-c', out)).toBe('000');
    await cloud.driver.setFirewall(1001, 101, null);
    expect(await ssh('203.0.113.11', 'hostname')).toBe('web-1');
  });

  it('translates a public address to a host that is in the VPC alone', async () => {
    const [link] = spec('app-1').interfaces;
    if (link === undefined) throw new Error('app-1 has no interface');
    const nat = { ...spec('app-1'), id: 1009, label: 'shop-app-9' };
    const moved = { ...link, id: 209, mac: 'f2:3c:01:00:00:09', ipv4: '10.0.2.19', nat11: '203.0.113.29' };
    await start({ ...nat, interfaces: [moved] });
    expect(await ssh('203.0.113.29', 'curl -s -o /dev/null -w "%{http_code}" http://203.0.113.11/')).toBe(
      '200',
    );
    await cloud.driver.destroy(1009);
    await expect(ssh('203.0.113.29', 'true')).rejects.toThrow(/timed out/);
  });

  it('stops a unit on one host and leaves its twin alone', async () => {
    await ssh('203.0.113.11', 'sudo systemctl stop nginx');
    expect(await httpStatus('http://203.0.113.11/')).toBe('000');
    expect(await httpStatus('http://203.0.113.12/')).toBe('200');
    expect(await ssh('203.0.113.12', 'systemctl is-active nginx')).toBe('active');
    await ssh('203.0.113.11', 'sudo systemctl start nginx');
  });

  it('powers off and on; what was installed and the host key stay', async () => {
    await cloud.driver.shutdown(1001);
    expect(await httpStatus('http://203.0.113.11/')).toBe('000');
    await cloud.driver.boot(1001);
    await cloud.waitForSsh(1001);
    expect(await ssh('203.0.113.11', 'systemctl is-active nginx')).toBe('active');
  });

  it('comes back from a reboot that it was told inside', async () => {
    const bootId = (): Promise<string> =>
      console_('shop-web-1', 'stat', '-c', '%Y', '/run/systemd/system').catch(() => '');
    const before = await bootId();
    await ssh('203.0.113.11', 'sudo systemctl reboot').catch(() => '');
    await until(async () => !['', before].includes(await bootId()));
    await cloud.waitForSsh('shop-web-1');
    expect(await ssh('203.0.113.11', 'hostname')).toBe('web-1');
  });

  it('leaves the network when it is turned off inside', async () => {
    await ssh('203.0.113.12', 'sudo systemctl poweroff').catch(() => '');
    const isOn = async (): Promise<boolean | undefined> =>
      (await cloud.hosts()).find(({ id }) => id === 1002)?.running;
    await until(async () => (await isOn()) === false);
    await cloud.driver.boot(1002);
    await cloud.waitForSsh(1002);
    expect(await ssh('203.0.113.12', 'hostname')).toBe('web-2');
  });

  it('dies at once, without a word to its peers, and boots again', async () => {
    const open = 'exec 3<>/dev/tcp/203.0.113.11/22; exec cat <&3';
    const [file = '', ...args] = cloud.inInternet(['bash', '-c', open]);
    const peer = spawn(file, args, { stdio: ['ignore', 'pipe', 'ignore'] });
    await once(peer.stdout, 'data');
    await cloud.faults.kill('shop-web-1');
    expect((await cloud.hosts()).find(({ id }) => id === 1001)?.running).toBe(false);
    // Long enough for a reset, had one been sent, to end the peer.
    await sleep(300);
    expect(peer.exitCode).toBeNull();
    peer.kill();
    await cloud.driver.boot(1001);
    await cloud.waitForSsh(1001);
    expect(await ssh('203.0.113.11', 'hostname')).toBe('web-1');
  });

  it('stands still and goes on', async () => {
    await until(async () => (await httpStatus('http://203.0.113.11/')) === '200');
    await cloud.faults.freeze('shop-web-1');
    expect(await httpStatus('http://203.0.113.11/')).toBe('000');
    await cloud.faults.thaw('shop-web-1');
    expect(await httpStatus('http://203.0.113.11/')).toBe('200');
  });

  it('is cut off, wholly or from one peer, and is back', async () => {
    const ping = async (from: string, to: string): Promise<boolean> =>
      (await cloud.exec(from, ['ping', '-c1', '-W1', to], { okCodes: [0, 1] })).code === 0;
    await cloud.faults.cutLink('shop-web-1', { peer: 'shop-web-2' });
    expect(await ping('shop-web-2', '10.0.1.11')).toBe(false);
    expect(await ping('shop-app-1', '10.0.1.11')).toBe(true);
    await cloud.faults.cutLink('shop-web-1', { direction: 'out' });
    expect(await ping('shop-app-1', '10.0.1.11')).toBe(false);
    await cloud.faults.restoreLink('shop-web-1');
    expect(await ping('shop-web-2', '10.0.1.11')).toBe(true);
    await cloud.faults.setLoss('shop-web-1', 100);
    expect(await ping('shop-app-1', '10.0.1.11')).toBe(false);
    await cloud.faults.setLoss('shop-web-1', 0);
    expect(await ping('shop-app-1', '10.0.1.11')).toBe(true);
  });

  it('runs out of disk', async () => {
    await cloud.faults.shrinkDisk('shop-web-1', '/var/log', 4);
    const fill = 'dd if=/dev/zero of=/var/log/big bs=1M count=8 2>&1 || true';
    expect(await console_('shop-web-1', 'sh', '-c', fill)).toContain('No space left on device');
    expect(await console_('shop-web-1', 'ls', '/var/log/cloud-init.log')).toBe('/var/log/cloud-init.log');
    await cloud.faults.restoreDisk('shop-web-1', '/var/log');
    expect(await console_('shop-web-1', 'sh', '-c', 'ls /var/log/big 2>&1 || true')).toContain(
      'No such file',
    );
  });

  (noDelay === null ? it : it.skip)(`delays packets${noDelay === null ? '' : ` (${noDelay})`}`, async () => {
    expect(await cloud.faults.setDelay('shop-web-1', 300)).toBeNull();
    const { stdout } = await cloud.exec('shop-web-2', ['ping', '-c2', '-q', '10.0.1.11']);
    expect(Number(/= ([0-9.]+)\//.exec(stdout)?.[1])).toBeGreaterThan(299);
    expect(await cloud.faults.setDelay('shop-web-1', 0)).toBeNull();
  });

  it('runs Debian 12 in the same way', async () => {
    await start({ ...hostSpec(keys, 4, 'web-4', 'linode/debian12') });
    expect(await ssh('203.0.113.14', 'hostname; cut -d. -f1 /etc/debian_version; sudo cat /etc/stack')).toBe(
      'web-4\n12\nshop',
    );
    await ssh('203.0.113.14', 'sudo apt-get install --yes --quiet nginx');
    expect(await httpStatus('http://203.0.113.14/')).toBe('200');
    await cloud.driver.destroy(1004);
  });

  it('can be taken up and removed by another process', async () => {
    const other = await createHostCloud();
    await other.driver.create(hostSpec(keys, 1, 'web-1'));
    await other.driver.boot(1001);
    const found = (await findClouds()).find(({ id }) => id === other.id);
    expect(found?.hosts).toMatchObject([{ label: 'shop-web-1', running: true }]);
    const taken = await openHostCloud(other.id);
    await taken.waitForSsh('shop-web-1');
    // The same addresses in two clouds at once: neither is felt in the other.
    expect(
      (await taken.exec('shop-web-1', ['sh', '-c', 'ls /usr/sbin/nginx 2>&1 || true'])).stdout,
    ).toContain('No such file');
    await removeCloud(other.id);
    expect(await traces(other.id)).toEqual([]);
    expect((await findClouds()).map(({ id }) => id)).not.toContain(other.id);
  });

  it('leaves nothing behind', async () => {
    const gone = await createHostCloud();
    await gone.driver.create(hostSpec(keys, 1, 'web-1'));
    await gone.driver.boot(1001);
    expect(await traces(gone.id)).not.toEqual([]);
    await gone.close();
    expect(await traces(gone.id)).toEqual([]);
  });
});
