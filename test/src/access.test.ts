import { execFile } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { type ConfigBundle, render, requiredSecrets } from '@perlstack/configs';
import { handlers, observe, plan } from '@perlstack/converge';
import { type FirewallRule, type FirewallSpec, whyNoHosts } from '@perlstack/local-cloud';
import { execute } from '@perlstack/procedure';
import { rulesFor } from '@perlstack/provision';
import { commandLine } from '@perlstack/remote';
import { type Host, parseStack, TIERS } from '@perlstack/stack';
import { ANSWER_LATE, DIAL, LISTEN } from './access-probe.js';
import { type HostsSite, openHosts } from './hosts-site.js';

// The first run builds the images.
jest.setTimeout(300_000);

const obstacle = await whyNoHosts();

const stackFile = (image: string): string => `
stack: shop
region: us-ord
image: linode/${image}
network: { ssh: [192.0.2.0/25] }
app: {}
tiers:
  web: { type: g6-nanode-1, count: 1 }
  app: { type: g6-nanode-1, count: 1 }
  database: { type: g6-nanode-1, count: 2 }
  cache: { type: g6-nanode-1, count: 2, failover: manual }
  monitor: { type: g6-nanode-1, count: 1 }
`;

/** Who calls: a host, or somebody in the internet, by an address of his. */
type Party = Pick<Host, 'name' | 'tier'> & { readonly source?: string };

const OUTSIDERS: readonly Party[] = [
  { name: 'operator', tier: 'operator', source: '192.0.2.1' },
  { name: 'stranger', tier: 'stranger', source: '192.0.2.200' },
];
const PORTS = [22, 80, 443, 5000, 5432, 6379, 8008, 8123, 9100, 9113, 9121, 9187, 26379];

/** Who reaches what, by tiers. Written down here once more, so that it does not come from what it is to prove. */
const REACHES: Readonly<Record<string, Readonly<Record<string, readonly number[]>>>> = {
  web: { app: [22, 5000], database: [22], cache: [22], monitor: [22] },
  app: { web: [80, 443], database: [5432], cache: [6379, 26379] },
  database: { web: [80, 443], database: [5432, 8008] },
  cache: { web: [80, 443], cache: [6379, 26379] },
  monitor: {
    ...{ web: [80, 443, 9100, 9113], app: [5000, 9100, 9113] },
    ...{ database: [9100, 9187], cache: [9100, 9121] },
  },
  operator: { web: [22, 80, 443] },
  stranger: { web: [80, 443] },
};

/** `app-1 -> database-1: 5432`, a line for each pair of which one may call the other. */
const expectedMatrix = (hosts: readonly Host[]): string[] =>
  linesOf(hosts, (from, to) => REACHES[from.tier]?.[to.tier] ?? []);

function linesOf(hosts: readonly Host[], portsOf: (from: Party, to: Host) => readonly number[]): string[] {
  return [...hosts, ...OUTSIDERS].flatMap((from) =>
    targetsOf(hosts, from).map((to) => `${from.name} -> ${to.name}: ${portsOf(from, to).join(' ') || '-'}`),
  );
}

const targetsOf = (hosts: readonly Host[], from: Party): Host[] =>
  hosts.filter((to) => to.name !== from.name && (!from.source || to.publicAddress !== null));

const addressOf = (from: Party, to: Host): string =>
  (from.source ? to.publicAddress : to.privateAddress) ?? '';

/** @throws Error when it does not come true within half a minute */
async function eventually(check: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; !(await check()); tries += 1) {
    if (tries === 60) throw new Error('it did not come true');
    await sleep(500);
  }
}

/** sshd, sudo and firewall of every host; of the rest it needs nothing. */
function bundleOf(site: HostsSite): ConfigBundle {
  const secrets = Object.fromEntries(requiredSecrets(site.stack).map(({ name }) => [name, 'geheim']));
  const bundle = render(site.stack, site.inventory, { secrets });
  const access = ['sshd', 'sudo', 'firewall'];
  const hosts = bundle.hosts.map((host) => ({
    ...host,
    users: [],
    services: host.services.filter(({ name }) => access.includes(name)),
  }));
  return { ...bundle, hosts };
}

/** The rules of a tier's Cloud Firewall as they stand in front of a host. */
function cloudFirewall(site: HostsSite, { tier }: Host): FirewallSpec {
  const name = TIERS.find((one) => one === tier) ?? 'web';
  const inbound = rulesFor(site.stack, name).inbound.map(({ ports, addresses }): FirewallRule => ({
    ...{ action: 'ACCEPT', protocol: 'TCP' },
    ports: ports ?? null,
    ipv4: addresses?.ipv4 ?? [],
  }));
  return { inbound, inboundPolicy: 'DROP', outbound: [], outboundPolicy: 'ACCEPT' };
}

(obstacle === null ? describe : describe.skip).each(['debian13', 'debian12'])(
  `access of %s${obstacle === null ? '' : ` (skipped: ${obstacle})`}`,
  (image) => {
    let site: HostsSite;
    let hosts: readonly Host[];

    beforeAll(async () => {
      site = await openHosts(stackFile(image));
      hosts = site.inventory.hosts;
      const argv = ['systemd-run', '--quiet', '--unit=listen', 'perl', '-e', LISTEN];
      const ports = PORTS.filter((port) => port !== 22).map(String);
      await everywhere(commandLine([...argv, ...ports]));
    });
    afterAll(() => site?.close());

    async function everywhere(script: string): Promise<void> {
      const results = await Promise.all(hosts.map(({ name }) => site.console(name, script)));
      expect(results.filter(({ code }) => code !== 0)).toEqual([]);
    }

    /** Runs a program in the internet. */
    async function outside(argv: readonly string[]): Promise<string> {
      const [program = '', ...args] = site.cloud.inInternet(argv);
      return new Promise((resolve) => {
        const child = execFile(program, args, (_error, stdout, stderr) => resolve(stdout + stderr));
        child.stdin?.end();
      });
    }

    /** Who gets a connection to which ports of whom, by trying all of them. */
    async function matrix(): Promise<string[]> {
      const seen = new Map<string, string>();
      const dials = [...hosts, ...OUTSIDERS].map(async (from: Party) => {
        const targets = targetsOf(hosts, from).flatMap((to) =>
          PORTS.map((port) => `${addressOf(from, to)}:${port}`),
        );
        const argv = ['perl', '-e', DIAL, from.source ?? '0.0.0.0', ...targets];
        const output = from.source
          ? await outside(argv)
          : (await site.console(from.name, commandLine(argv))).output;
        for (const line of output.trim().split('\n')) {
          const [target = '', result = ''] = line.split(' ');
          seen.set(`${from.name} ${target}`, result);
        }
      });
      await Promise.all(dials);
      const result = (from: Party, to: Host, port: number): string | undefined =>
        seen.get(`${from.name} ${addressOf(from, to)}:${port}`);
      return linesOf(hosts, (from, to) => {
        for (const port of PORTS) expect(result(from, to, port)).toMatch(/^(open|refused|silent)$/);
        return PORTS.filter((port) => result(from, to, port) === 'open');
      });
    }

    const ssh = (...args: string[]): Promise<string> => {
      const options = [
        'BatchMode=yes',
        'StrictHostKeyChecking=no',
        'UserKnownHostsFile=/dev/null',
        'LogLevel=ERROR',
      ];
      return outside(['ssh', '-i', site.keyFile, ...options.flatMap((option) => ['-o', option]), ...args]);
    };
    const door = (): string => hosts.find(({ tier }) => tier === 'web')?.publicAddress ?? '';
    const privately = (name: string): string =>
      hosts.find((host) => host.name === name)?.privateAddress ?? '';

    it('is open to all without any firewall, so that what follows means something', async () => {
      expect(await matrix()).toEqual(linesOf(hosts, () => PORTS));
    });

    describe('with the hosts’ own firewalls and no others', () => {
      beforeAll(async () => {
        await everywhere('nft add table ip docker');
        await site.console('web-1', commandLine(['systemd-run', '--unit=late', 'perl', '-e', ANSWER_LATE]));
        const listen = `until exec 3<>/dev/tcp/${privately('web-1')}/8124; do sleep 0.2; done; read -r line <&3; echo "$line" > /run/heard`;
        await site.console('monitor-1', commandLine(['systemd-run', '--unit=hear', 'bash', '-c', listen]));
        await eventually(async () => (await site.console('web-1', 'ls /run/asked')).code === 0);
        const bundle = bundleOf(site);
        const { steps } = plan(bundle, await observe(site.remote, bundle));
        const { failures } = await execute(steps, handlers(site.remote, bundle));
        expect(failures).toEqual([]);
      });

      it('lets exactly those through who have business with each other', async () => {
        expect(await matrix()).toEqual(expectedMatrix(hosts));
      });

      it('lets the answer through to a call that was made before', async () => {
        await site.console('web-1', 'touch /run/answer');
        await eventually(async () => (await site.console('monitor-1', 'cat /run/heard')).output === 'late');
      });

      it('has nothing to do the second time', async () => {
        const bundle = bundleOf(site);
        expect(plan(bundle, await observe(site.remote, bundle))).toMatchObject({ steps: [], changes: [] });
      });

      it('lets new connections in, also those through the jump host', async () => {
        const remote = site.connect();
        try {
          const ask = ({ name }: Host) => remote.script(name, 'id -un; hostname', [], { sudo: true });
          const answers = await Promise.all(hosts.map(ask));
          expect(answers.map(({ stdout }) => stdout)).toEqual(hosts.map(({ name }) => `root\n${name}\n`));
        } finally {
          await remote.close();
        }
      });

      it('ends a command of root with all that it began, also in a shell that had waited for it', async () => {
        const remote = site.connect();
        const age = async (): Promise<number> => {
          const abort = new AbortController();
          const said: number[] = [];
          const onLine = (line: string): void => {
            said.push(...line.split(' ').map(Number));
            abort.abort();
          };
          const script = 'sleep 600 & echo $! $$ $(ps -o etimes= -p $$); wait';
          const run = remote.script('app-1', script, [], { sudo: true, signal: abort.signal, onLine });
          await expect(run).rejects.toThrow('cancelled');
          const [begun, shell, seconds = NaN] = said;
          expect((await site.console('app-1', `ls -d /proc/${begun} /proc/${shell}`)).output).toBe('');
          return seconds;
        };
        try {
          await age();
          await sleep(4_000);
          expect(await age()).toBeGreaterThanOrEqual(1);
        } finally {
          await remote.close();
        }
      });

      it('takes keys alone, and not for root', async () => {
        const passwords = ['-o', 'PreferredAuthentications=password,keyboard-interactive'];
        expect(await ssh(...passwords, `deploy@${door()}`, 'id')).toContain('Permission denied (publickey).');
        await site.console(
          'web-1',
          'install -d -m 700 /root/.ssh; cp ~deploy/.ssh/authorized_keys /root/.ssh/',
        );
        expect(await ssh(`root@${door()}`, 'id')).toContain('Permission denied (publickey).');
        expect(await ssh(`deploy@${door()}`, 'id -un')).toBe('deploy\n');
      });

      it('forwards to the SSH of other hosts through the jump host, and nothing else', async () => {
        const through = (address: string, port: number) =>
          ssh('-W', `${address}:${port}`, `deploy@${door()}`);
        expect(await through(privately('app-1'), 22)).toMatch(/^SSH-2\.0-OpenSSH/);
        expect(await through(privately('app-1'), 5000)).toContain('stdio forwarding failed');
        const jump = `ProxyCommand=ssh -i ${site.keyFile} -o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR -W %h:%p deploy@${door()}`;
        const onward = ['-o', jump, '-W', `${privately('database-1')}:5432`, `deploy@${privately('app-1')}`];
        expect(await ssh(...onward)).toContain('stdio forwarding failed');
      });

      it('keeps up with many who connect at once', async () => {
        // Held before they log in, which is what MaxStartups counts.
        const hold =
          'for i in $(seq 40); do (exec 3<>/dev/tcp/127.0.0.1/22; read -r -t 20 line <&3; echo "${line%%-O*}"; sleep 5) & done; wait';
        const { output } = await site.console('app-1', `bash -c '${hold}' | sort | uniq -c`);
        expect(output.trim()).toBe('40 SSH-2.0');
      });

      it('gives the user of the workflow scripts as root, and no other command or user', async () => {
        const as = (command: string) =>
          site.console('database-1', `cd / && runuser -u deploy -- ${command} 2>&1 < /dev/null`);
        expect(await as('sudo -n -- sh -c "id -un"')).toEqual({ code: 0, output: 'root' });
        for (const command of ['sudo -n id', 'sudo -n -u nobody sh -c id', 'sudo -n -i', 'sudo -n -s id']) {
          expect(await as(command)).toMatchObject({ code: 1 });
        }
        expect((await as('sudo -n A=b sh -c id')).output).toContain(
          'not allowed to set the following environment',
        );
        expect((await site.console('database-1', 'ls /etc/sudoers.d')).output).toBe('90-perlstack\nREADME');
      });

      it('keeps the metadata service for root', async () => {
        const get = (user: string) =>
          site.console(
            'app-1',
            `runuser -u ${user} -- curl -s -o /dev/null -w '%{http_code}' http://169.254.169.254/v1/instance`,
          );
        expect(await get('root')).toEqual({ code: 0, output: '401' });
        expect(await get('nobody')).toMatchObject({ output: '000' });
      });

      it('lets echoes through', async () => {
        expect((await site.console('database-1', `ping -c 1 -W 3 ${privately('web-1')}`)).code).toBe(0);
      });

      it('lets in what a file of the user adds, and leaves the tables of others alone', async () => {
        const [rule, file] = [
          'add rule inet perlstack local tcp dport 8123 accept',
          '/etc/nftables.d/10-own.nft',
        ];
        const calls = async (): Promise<string | undefined> =>
          (await matrix()).find((line) => line.startsWith('app-1 -> database-1:'));
        await site.console('database-1', `echo '${rule}' > ${file}; systemctl reload nftables`);
        expect(await calls()).toBe('app-1 -> database-1: 5432 8123');
        await site.console('database-1', `rm ${file}; systemctl reload nftables`);
        expect(await calls()).toBe('app-1 -> database-1: 5432');
        await site.console('database-1', 'systemctl restart nftables');
        expect((await site.console('database-1', 'nft list tables')).output.split('\n').sort()).toEqual([
          'table inet perlstack',
          'table ip docker',
        ]);
      });
    });

    describe('with Cloud Firewalls and no others', () => {
      beforeAll(async () => {
        await everywhere('systemctl stop nftables');
        for (const host of hosts) {
          // As hosts-site.ts numbers them: the public interface, the one in the VPC.
          const id = host.linodeId ?? 0;
          const interfaces = [...(host.publicAddress === null ? [] : [id + 2_000]), id + 3_000];
          for (const one of interfaces)
            await site.cloud.driver.setFirewall(id, one, cloudFirewall(site, host));
        }
      });

      it('takes away its own table alone when it stops', async () => {
        expect((await site.console('cache-1', 'nft list tables')).output).toBe('table ip docker');
      });

      it('lets exactly the same through', async () => {
        expect(await matrix()).toEqual(expectedMatrix(hosts));
      });
    });
  },
);

describe('the table of this test', () => {
  it('names tiers and ports that are tried', () => {
    const { stack } = parseStack(stackFile('debian13'), 'perlstack.yml');
    for (const [from, targets] of Object.entries(REACHES)) {
      expect([...Object.keys(stack.tiers), ...OUTSIDERS.map(({ tier }) => tier)]).toContain(from);
      for (const ports of Object.values(targets)) expect(PORTS).toEqual(expect.arrayContaining([...ports]));
    }
  });
});
