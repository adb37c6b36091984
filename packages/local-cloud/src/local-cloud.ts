import { join } from 'node:path';
import { type LinodeApi, startApi } from './api/index.js';
import { type HostCloud, type HostCloudOptions, cloudFolder, createHostCloud } from './hosts/index.js';
import { startRelay } from './relay.js';

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
    const relay = await startRelay(hosts, socket, API_PORT);
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
