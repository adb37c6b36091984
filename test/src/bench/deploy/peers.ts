import path from 'node:path';
import type { Site } from '../../release-site.js';
import { ansibleSettings } from '../ansible.js';
import { capistranoProject } from './capfile.js';
import type { Door } from './door.js';
import { metered } from './metered.js';
import type { Interval } from './overhead.js';
import { layOut, type Rollout, rolloutOf, sharedOptions } from './peer.js';
import { rollingInventory, rollingPlaybook } from './rolling-playbook.js';

/** What a roll-out took of the runner. */
export interface Metered {
  readonly seconds: number;
  readonly cpuSeconds: number;
  /** Of ours alone: the pauses of its gates. */
  readonly settled?: readonly Interval[];
  /** Of ours alone: seconds from its start to the first answer of a host. */
  readonly connected?: number;
}

export type RollOut = (site: Site, door: Door, artifact: string, release: string) => Promise<Metered>;

export const runAnsible: RollOut = async (site, door, artifact, release) => {
  const folder = path.join(site.folder, `ansible-${release}`);
  const rollout = rolloutOf(site, door, artifact, folder);
  const doorOptions = sharedOptions(path.join(folder, 'cp', 'door'));
  // Every YAML reader reads JSON.
  await layOut(folder, {
    'inventory.yml': JSON.stringify(rollingInventory(rollout, doorOptions)),
    'play.yml': JSON.stringify(rollingPlaybook(rollout, release)),
  });
  const command = 'ansible-playbook --inventory inventory.yml play.yml';
  return run(site, folder, rollout, command, ansibleSettings(folder));
};

/** Capistrano names its release itself, after the time. */
export const runCapistrano: RollOut = async (site, door, artifact, release) => {
  const folder = path.join(site.folder, `capistrano-${release}`);
  const rollout = rolloutOf(site, door, artifact, folder);
  await layOut(folder, capistranoProject(rollout));
  const env = { PATH: process.env['PATH'], HOME: folder, LC_ALL: 'C.UTF-8' };
  return run(site, folder, rollout, 'cap production deploy', env);
};

/** The shared connection to the web host first, so that those through it do not each make their own. */
function run(
  { cloud, keyFile }: Site,
  folder: string,
  { web, user }: Rollout,
  command: string,
  env: NodeJS.ProcessEnv,
): Promise<Metered> {
  const shared = sharedOptions(path.join(folder, 'cp', 'door'));
  const open = `ssh -i ${keyFile} ${shared} -p ${web.port} ${user}@${web.address} true`;
  return metered(cloud.inInternet(['sh', '-euc', `cd ${folder}\n${open}\nexec ${command}`]), { env });
}
