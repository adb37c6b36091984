import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Site } from '../../release-site.js';
import type { Door } from './door.js';

/** What both peers are told. */
export interface Rollout {
  /** The artifact's file on the runner. */
  readonly artifact: string;
  /** The application's file in it, and the user as whom it runs. */
  readonly psgi: string;
  readonly runAs: string;
  readonly keepReleases: number;
  /** File on the web hosts that names the app hosts. */
  readonly upstreamFile: string;
  readonly web: PeerHost;
  readonly app: readonly PeerHost[];
  readonly user: string;
  readonly keyFile: string;
  /** An OpenSSH command line that carries a stream to `%h:%p` by way of the web host. */
  readonly proxyCommand: string;
}

export interface PeerHost {
  readonly name: string;
  /** Where its sshd is. */
  readonly address: string;
  readonly port: number;
  /** By which the web tier's nginx knows it. */
  readonly upstream: string;
}

/** OpenSSH's options for connections that are shared and stay, as both tools' documentation advises. */
const SHARED = [
  'ControlMaster=auto',
  'ControlPersist=300s',
  'StrictHostKeyChecking=no',
  'UserKnownHostsFile=/dev/null',
  'LogLevel=ERROR',
];

export const sharedOptions = (controlPath: string): string =>
  [...SHARED, `ControlPath=${controlPath}`].map((option) => `-o ${option}`).join(' ');

/** @param folder of the peer, for its files and for the sockets of shared connections */
export function rolloutOf(site: Site, door: Door, artifact: string, folder: string): Rollout {
  const { keyFile, stack, inventory } = site;
  const shared = sharedOptions(path.join(folder, 'cp', 'door'));
  const app = inventory.hosts.filter(({ tier }) => tier === 'app');
  return {
    ...{ artifact, keyFile, user: 'deploy', keepReleases: stack.app.keepReleases },
    ...{ psgi: stack.app.psgi, runAs: stack.app.name },
    upstreamFile: '/etc/nginx/conf.d/shop.conf',
    web: { name: door.host.name, address: door.address, port: door.port, upstream: '' },
    app: app.map(({ name, privateAddress }) => ({
      ...{ name, address: privateAddress ?? '', port: 22, upstream: `${privateAddress}:5000` },
    })),
    proxyCommand: `ssh -i ${keyFile} ${shared} -p ${door.port} -W %h:%p deploy@${door.address}`,
  };
}

/** Writes a peer's files; `cp` is for its sockets. */
export async function layOut(folder: string, files: Readonly<Record<string, string>>): Promise<void> {
  await mkdir(path.join(folder, 'cp'), { recursive: true, mode: 0o700 });
  for (const [name, content] of Object.entries(files)) {
    await mkdir(path.dirname(path.join(folder, name)), { recursive: true });
    await writeFile(path.join(folder, name), content);
  }
}
