import type { Rollout } from './peer.js';

type Task = Readonly<Record<string, unknown>>;

/**
 * A rolling deploy as somebody who knows Ansible would write it for speed: everything that can be done on all hosts at
 * once is, in a play before; then one host after the other, out of the web tier's upstream and back into it. The waits
 * are single commands on the hosts, so that no try costs a task.
 */
export function rollingPlaybook(
  { artifact, psgi, runAs, keepReleases, upstreamFile }: Rollout,
  release: string,
): readonly Task[] {
  const folder = `/srv/shop/releases/${release}`;
  const server = String.raw`^(\s*server {{ upstream | regex_escape }}\s[^;]*?)`;
  const onWeb = (name: string, module: string, settings: Task): Task => ({
    name,
    [module]: settings,
    delegate_to: '{{ item }}',
    loop: '{{ groups.web }}',
  });
  const reload = onWeb('reload nginx', 'systemd', { name: 'nginx', state: 'reloaded' });
  const wait = (phase: string, ...argv: string[]): Task => ({
    name: phase,
    command: { argv: ['bench-phase', phase, ...argv] },
  });
  const play = { gather_facts: false, become: true };
  const owner = { owner: 'root', group: 'root' };
  return [
    {
      ...{ name: 'prepare', hosts: 'app', ...play },
      tasks: [
        { name: 'release folder', file: { path: folder, state: 'directory', mode: '0755', ...owner } },
        { name: 'upload and unpack', unarchive: { src: artifact, dest: folder, ...owner } },
        {
          name: 'compile check',
          command: { argv: ['runuser', '-u', runAs, '--', 'perl', '-c', psgi], chdir: folder },
          run_once: true,
        },
      ],
    },
    {
      ...{ name: 'roll', hosts: 'app', serial: 1, max_fail_percentage: 0, ...play },
      tasks: [
        onWeb('take out', 'replace', {
          path: upstreamFile,
          regexp: `${server};`,
          replace: String.raw`\1 down;`,
        }),
        reload,
        wait('drain', 'bench-drained'),
        wait('boot', 'bench-restart', release),
        wait('gate', 'bench-gate', release),
        onWeb('put back', 'replace', {
          path: upstreamFile,
          regexp: `${server} down;`,
          replace: String.raw`\1;`,
        }),
        reload,
      ],
    },
    {
      ...{ name: 'clean up', hosts: 'app', ...play },
      tasks: [
        {
          name: 'old releases',
          shell: `ls -1t | tail -n +${keepReleases + 1} | xargs --no-run-if-empty rm -rf`,
          args: { chdir: '/srv/shop/releases' },
        },
      ],
    },
  ];
}

/** The hosts, and how to reach them. */
export function rollingInventory(
  { web, app, user, keyFile, proxyCommand }: Rollout,
  doorOptions: string,
): Task {
  const hosts = Object.fromEntries(
    app.map(({ name, address, upstream }) => [
      name,
      { ansible_host: address, upstream, ansible_ssh_common_args: `-o ProxyCommand="${proxyCommand}"` },
    ]),
  );
  const door = {
    ansible_host: web.address,
    ansible_port: web.port,
    // The connection through which the others go.
    ansible_ssh_extra_args: doorOptions,
  };
  const vars = {
    ansible_user: user,
    ansible_ssh_private_key_file: keyFile,
    ansible_python_interpreter: '/usr/bin/python3',
  };
  return { all: { vars, children: { web: { hosts: { [web.name]: door } }, app: { hosts } } } };
}
