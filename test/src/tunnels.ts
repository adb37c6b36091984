import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { type AddressInfo, connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { HostCloud } from '@perlstack/local-cloud';

/** Ways from a test's own process to the hosts of a cloud, which only the cloud's internet reaches. */
export interface Tunnels {
  /** A port of 127.0.0.1 that leads to this address and port. */
  to(address: string, port: number): Promise<number>;
  close(): Promise<void>;
}

export async function openTunnels(cloud: HostCloud): Promise<Tunnels> {
  const folder = await mkdtemp(join(tmpdir(), 'tunnels-'));
  const path = join(folder, 'relay');
  // Beside this file, which is compiled for benchmarks and not for tests.
  const relayFile = fileURLToPath(new URL(`relay${extname(import.meta.url)}`, import.meta.url));
  const [command = '', ...args] = cloud.inInternet([process.execPath, relayFile, path]);
  const relay = spawn(command, args, {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, NODE_OPTIONS: '' },
  });
  await once(relay.stdout, 'data');
  const servers: Server[] = [];
  return {
    to: async (address, port) => {
      const server = createServer({ noDelay: true }, (client) => {
        const stream = connect(path);
        client.on('error', () => stream.destroy()).on('close', () => stream.destroy());
        stream.on('error', () => client.destroy()).on('close', () => client.destroy());
        stream.write(`${address} ${port}\n`);
        client.pipe(stream);
        stream.pipe(client);
      }).listen(0, '127.0.0.1');
      await once(server, 'listening');
      servers.push(server);
      return (server.address() as AddressInfo).port;
    },
    close: async () => {
      for (const server of servers) server.close();
      relay.kill();
      await rm(folder, { recursive: true });
    },
  };
}
