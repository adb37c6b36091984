import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Host } from '@perlstack/stack';
import type { Site } from '../../release-site.js';

/** The way in, the same for every tool: the web host's sshd, and through it those of the app hosts. */
export interface Door {
  readonly host: Host;
  readonly address: string;
  readonly port: number;
  close(): void;
}

/** @param roundTripMs what is added to the round trip between the runner and the web host, in milliseconds */
export async function openDoor(site: Site, roundTripMs: number): Promise<Door> {
  const host = site.inventory.hosts.find(({ tier }) => tier === 'web');
  if (!host?.publicAddress) throw new Error('the site has no web host');
  if (roundTripMs === 0) return { host, address: host.publicAddress, port: 22, close: () => undefined };
  const program = fileURLToPath(new URL('../../../lib/bench/deploy/delay.js', import.meta.url));
  const [file = '', ...args] = site.cloud.inInternet([
    ...[process.execPath, program, host.publicAddress, '22', String(roundTripMs / 2)],
  ]);
  const line = spawn(file, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const [port] = (await once(line.stdout, 'data')) as [Buffer];
  return { host, address: '127.0.0.1', port: Number(port.toString()), close: () => void line.kill() };
}
