import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { cloudFolder, type HostCloud } from './hosts/index.js';

/**
 * An argv for an SSH session to a host from the cloud's internet: straight where the host has a public address, else
 * through one that has. Host keys are read at the consoles and pinned.
 *
 * @param key path of the private key
 */
export async function sshArgv(cloud: HostCloud, label: string, key: string): Promise<string[]> {
  const hosts = await cloud.hosts();
  const known = join(cloudFolder(cloud.id), 'known_hosts');
  const lines = await Promise.all(
    hosts
      .filter(({ running }) => running)
      .map(async (host) => {
        const { stdout } = await cloud.exec(host.label, ['cat', '/etc/ssh/ssh_host_ed25519_key.pub']);
        return `${host.label} ${stdout.trim()}`;
      }),
  );
  await writeFile(known, `${lines.join('\n')}\n`, { mode: 0o600 });
  const options = ['-i', key, '-o', `UserKnownHostsFile=${known}`, '-o', 'StrictHostKeyChecking=yes'];
  const to = (host: (typeof hosts)[number]): string[] => [
    ...options,
    ...['-o', `HostKeyAlias=${host.label}`, '-l', 'deploy', host.addresses[0] ?? host.label],
  ];
  const target = hosts.find((host) => host.label === label);
  const jump = hosts.find((host) => host.running && isPublic(host.addresses[0]));
  if (!target) throw new Error(`There is no host ${label}`);
  const via =
    isPublic(target.addresses[0]) || !jump ? [] : ['-o', `ProxyCommand=ssh ${to(jump).join(' ')} -W %h:%p`];
  return cloud.inInternet(['ssh', ...via, ...to(target)]);
}

function isPublic(address: string | undefined): boolean {
  return address !== undefined && !/^(10\.|192\.168\.|172\.(1[6-9]|2\d|3[01])\.)/.test(address);
}
