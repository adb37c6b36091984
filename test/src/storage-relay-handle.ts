import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { extname } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { HostCloud } from '@perlstack/local-cloud';
import type { RelayFault } from './storage-relay.js';

/** Something between the hosts and their object storage that can do harm. */
export interface StorageRelay {
  /** What takes the place of the storage's own endpoint. */
  readonly endpoint: string;
  /** Does this from now on instead of what it did before. @returns how many requests that had met */
  harm(...faults: readonly RelayFault[]): Promise<number>;
  close(): void;
}

/** On the storage's own address, beside its port. */
export async function openStorageRelay(cloud: HostCloud, storage: string): Promise<StorageRelay> {
  const { hostname, port } = new URL(storage);
  const beside = String(Number(port) + 1);
  const file = fileURLToPath(new URL(`storage-relay${extname(import.meta.url)}`, import.meta.url));
  const argv = cloud.inInternet([process.execPath, file, hostname, beside, port]);
  const [command = '', ...args] = argv;
  const relay = spawn(command, args, {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, NODE_OPTIONS: '' },
  });
  const lines = createInterface({ input: relay.stdout });
  await once(lines, 'line');
  return {
    endpoint: `http://${hostname}:${beside}`,
    harm: async (...faults) => {
      const answer = once(lines, 'line') as Promise<[string]>;
      relay.stdin.write(`${JSON.stringify(faults)}\n`);
      return Number((await answer)[0]);
    },
    close: () => relay.kill(),
  };
}
