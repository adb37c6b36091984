import { chmod, mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { ConfigBundle } from '@perlstack/configs';
import type { Host } from '@perlstack/stack';
import type { HostsSite } from '../hosts-site.js';
import { playbookOf } from './playbook.js';
import { installedTool, type Ran, timed } from './processes.js';

/** Where its connections go on waiting for the next run, and how: as its own documentation recommends for speed. */
export const ansibleSettings = (folder: string): NodeJS.ProcessEnv => ({
  PATH: process.env['PATH'],
  HOME: folder,
  LC_ALL: 'C.UTF-8',
  ANSIBLE_PIPELINING: 'True',
  ANSIBLE_FORKS: '10',
  ANSIBLE_HOST_KEY_CHECKING: 'False',
  ANSIBLE_DISPLAY_OK_HOSTS: 'False',
  ANSIBLE_DISPLAY_SKIPPED_HOSTS: 'False',
  ANSIBLE_SSH_ARGS:
    '-o ControlMaster=auto -o ControlPersist=300s -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null',
  ANSIBLE_SSH_CONTROL_PATH_DIR: path.join(folder, 'cp'),
  ANSIBLE_LOCAL_TEMP: path.join(folder, 'local'),
});

/** What a play did, over all hosts. */
export interface Recap {
  readonly ok: number;
  readonly changed: number;
}

/** Debian's Ansible, ready to make hosts what a bundle says. */
export interface Ansible {
  run(): Promise<Ran & Recap>;
}

/** Installs Ansible where it is missing. */
export async function installAnsible(): Promise<string> {
  const { stdout } = await installedTool(['ansible-playbook', '--version'], 'ansible-core');
  return /\[core ([\d.]+)\]/.exec(stdout)?.[1] ?? 'unknown';
}

/** Lays a bundle's files, playbook and inventory beside each other, for the hosts of a site. */
export async function prepareAnsible(
  site: HostsSite,
  bundle: ConfigBundle,
  options: { readonly engines: boolean },
): Promise<Ansible> {
  const folder = path.join(site.folder, options.engines ? 'play' : 'play-files');
  const contents = (host: string): string => path.join(folder, 'files', host);
  for (const { host, services } of bundle.hosts) {
    for (const { path: file, content } of services.flatMap(({ presets = [], files }) => [
      ...presets,
      ...files,
    ])) {
      await mkdir(path.dirname(contents(host) + file), { recursive: true });
      await writeFile(contents(host) + file, content);
    }
  }
  await mkdir(path.join(folder, 'cp'), { recursive: true, mode: 0o700 });
  const { play, variables } = playbookOf(bundle, contents, options);
  const hosts = Object.fromEntries(
    site.inventory.hosts.map((host) => [
      host.name,
      { ...variables[host.name], ...reach(site, host, folder) },
    ]),
  );
  const vars = {
    ansible_user: 'deploy',
    ansible_ssh_private_key_file: site.keyFile,
    ansible_python_interpreter: '/usr/bin/python3',
  };
  // Every YAML reader reads JSON.
  await writeFile(path.join(folder, 'inventory.yml'), JSON.stringify({ all: { hosts, vars } }));
  await writeFile(path.join(folder, 'play.yml'), JSON.stringify([play]));
  await chmod(folder, 0o700);
  const argv = site.cloud.inInternet([
    ...['ansible-playbook', '--inventory', path.join(folder, 'inventory.yml')],
    path.join(folder, 'play.yml'),
  ]);
  return {
    run: async () => {
      const ran = await timed(argv, { env: ansibleSettings(folder) });
      return { ...ran, ...recapOf(ran.stdout) };
    },
  };
}

/** Private hosts are reached through a public one, over one connection to it that stays. */
function reach({ inventory, keyFile }: HostsSite, host: Host, folder: string): Record<string, string> {
  const door = inventory.hosts.find(({ name }) => name === host.ssh.via);
  if (!door) return { ansible_host: host.publicAddress ?? '' };
  const options = [
    ...['ControlMaster=auto', 'ControlPersist=300s', `ControlPath=${folder}/cp/${door.name}`],
    ...['StrictHostKeyChecking=no', 'UserKnownHostsFile=/dev/null', 'LogLevel=ERROR'],
  ];
  const proxy = ['ssh', '-i', keyFile, ...options.flatMap((option) => ['-o', option]), '-W', '%h:%p'];
  return {
    ansible_host: host.privateAddress ?? '',
    ansible_ssh_common_args: `-o ProxyCommand="${proxy.join(' ')} deploy@${door.publicAddress}"`,
  };
}

function recapOf(output: string): Recap {
  const lines = [...output.matchAll(/^\S+\s+: ok=(\d+)\s+changed=(\d+)\s+unreachable=0\s+failed=0 /gm)];
  const sum = (group: number): number => lines.reduce((total, line) => total + Number(line[group]), 0);
  return { ok: sum(1), changed: sum(2) };
}
