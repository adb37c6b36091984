import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { command, type HostCloud } from './hosts/index.js';

/**
 * Leads a port of 127.0.0.1 inside a cloud's internet to a Unix socket outside of it: a server stays where it can make
 * hosts or read files, and only its port is inside. Kill the process to end it; it also ends with this one.
 */
export async function startRelay(hosts: HostCloud, socket: string, port: number): Promise<ChildProcess> {
  const listen = `TCP-LISTEN:${port},bind=127.0.0.1,reuseaddr,fork,backlog=128`;
  const [file = '', ...args] = hosts.inInternet([
    ...['setpriv', '--pdeathsig', 'TERM', '--'],
    ...['socat', listen, `UNIX-CONNECT:${socket}`],
  ]);
  const relay = spawn(file, args, { stdio: ['ignore', 'ignore', 'inherit'] });
  await once(relay, 'spawn');
  await untilListening(hosts, port);
  return relay;
}

async function untilListening(hosts: HostCloud, port: number): Promise<void> {
  const [file = '', ...args] = hosts.inInternet(['bash', '-c', `exec 3<>/dev/tcp/127.0.0.1/${port}`]);
  for (let tries = 0; tries < 100; tries += 1) {
    if ((await command([file, ...args], { okCodes: [0, 1] })).code === 0) return;
    await sleep(50);
  }
  throw new Error(`The relay does not listen on port ${port} of the internet`);
}
