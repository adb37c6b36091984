import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type LinodeApi, startApi } from './api/index.js';
import {
  command,
  type HostCloud,
  type HostCloudOptions,
  cloudFolder,
  createHostCloud,
} from './hosts/index.js';

/** Where the API answers inside the internet of a local cloud: loopback there, so that no host can reach it. */
const API_PORT = 8080;

export interface LocalCloudOptions extends HostCloudOptions {
  /** How long things take beside the real Linode: 1 as long, 0 no longer than the hosts themselves. */
  readonly timeScale?: number;
}

/** An embedded Linode: an API in front of real hosts, in an internet of its own. */
export interface LocalCloud {
  readonly hosts: HostCloud;
  readonly api: LinodeApi;
  /** The API's address, as a process inside the internet uses it (`LINODE_API_URL`). */
  readonly apiUrl: string;
  close(): Promise<void>;
}

/**
 * Opens a local cloud without any host in it; hosts come by the API.
 *
 * @throws UserError where this machine can't run hosts, with the reason
 */
export async function openLocalCloud(options: LocalCloudOptions = {}): Promise<LocalCloud> {
  const hosts = await createHostCloud(options);
  try {
    const socket = join(cloudFolder(hosts.id), 'api.sock');
    const api = await startApi({ driver: hosts.driver, timeScale: options.timeScale ?? 0, path: socket });
    const relay = await startRelay(hosts, socket);
    const close = async (): Promise<void> => {
      relay.kill();
      await api.close();
      await hosts.close();
    };
    return { hosts, api, apiUrl: `http://127.0.0.1:${API_PORT}`, close };
  } catch (error) {
    await hosts.close();
    throw error;
  }
}

/** The API's process stays outside, where it can make hosts; only its port is inside. */
async function startRelay(hosts: HostCloud, socket: string): Promise<ChildProcess> {
  const listen = `TCP-LISTEN:${API_PORT},bind=127.0.0.1,reuseaddr,fork,backlog=128`;
  const [file = '', ...args] = hosts.inInternet([
    ...['setpriv', '--pdeathsig', 'TERM', '--'],
    ...['socat', listen, `UNIX-CONNECT:${socket}`],
  ]);
  const relay = spawn(file, args, { stdio: ['ignore', 'ignore', 'inherit'] });
  await once(relay, 'spawn');
  await untilListening(hosts);
  return relay;
}

async function untilListening(hosts: HostCloud): Promise<void> {
  const [file = '', ...args] = hosts.inInternet(['bash', '-c', `exec 3<>/dev/tcp/127.0.0.1/${API_PORT}`]);
  for (let tries = 0; tries < 100; tries += 1) {
    if ((await command([file, ...args], { okCodes: [0, 1] })).code === 0) return;
    await sleep(50);
  }
  throw new Error(`The relay to the API does not listen on port ${API_PORT} of the internet`);
}
