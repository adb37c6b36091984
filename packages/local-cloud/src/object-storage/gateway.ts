import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  cgroupOf,
  createCgroup,
  type Cgroup,
  isPopulated,
  killCgroup,
  processesOf,
  setFrozen,
} from '../hosts/cgroup.js';
import { command } from '../hosts/command.js';
import type { Context } from '../hosts/context.js';
import { ensureRoot } from '../hosts/image.js';
import { prefixOf } from '../hosts/names.js';
import { inNamespace } from '../hosts/network.js';
import { STORAGE_RECIPE } from '../hosts/recipe.js';
import { startDetached } from '../hosts/service.js';
import { CEPH_CONF, CEPH_PEM, CEPH_SCRIPT, type CephOptions, ENTER_SCRIPT, newCluster } from './ceph.js';

export interface StorageKeys {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** A real RADOS Gateway in a cloud's internet. It is gone with the cloud. */
export interface ObjectStorage extends StorageKeys {
  /** `http://198.51.100.10:7480`, from every host and from the cloud's internet. */
  readonly endpoint: string;
  /** The same with TLS, where it was given a certificate. */
  readonly tlsEndpoint: string | null;
  readonly region: string;
  /** Whether it stands still: requests get no answer, as from a machine that hangs. */
  setFrozen(frozen: boolean): Promise<void>;
  /** CPU time of all its programs so far, in seconds. */
  cpuSeconds(): Promise<number>;
  close(): Promise<void>;
}

export interface ObjectStorageOptions {
  readonly lifecycleDayS?: number;
  /** Default `memory`. */
  readonly store?: CephOptions['store'];
  /** Default 2,048. */
  readonly sizeMiB?: number;
  /** Key and certificate (PEM) of `OBJECT_STORAGE_ADDRESS`, for TLS beside plain HTTP. */
  readonly pem?: string;
}

/** An address on the internet that no host gets (RFC 5737). */
export const OBJECT_STORAGE_ADDRESS = '198.51.100.10';
const PORT = 7_480;
const TLS_PORT = 7_443;

export async function startObjectStorage(
  context: Context,
  { lifecycleDayS, store = 'memory', sizeMiB = 2_048, pem }: ObjectStorageOptions = {},
): Promise<ObjectStorage> {
  const root = await ensureRoot(STORAGE_RECIPE, context.cacheDir, context.log);
  const state = join(context.paths.dir, 'object-storage');
  const log = join(state, 'ceph.log');
  const group = cgroupOf(context.layout, prefixOf(context.id), 'object-storage');
  const { internet } = context.names;
  const options: CephOptions = {
    ...{ address: OBJECT_STORAGE_ADDRESS, port: PORT, store, sizeMiB },
    lifecycleDayS: lifecycleDayS ?? null,
    tlsPort: pem === undefined ? null : TLS_PORT,
  };
  const { conf, args } = newCluster(options);
  await mkdir(state, { recursive: true, mode: 0o700 });
  await writeFile(join(state, 'ceph.conf'), conf);
  if (pem !== undefined) await writeFile(join(state, basename(CEPH_PEM)), pem, { mode: 0o600 });
  await createCgroup(group);
  await command(['ip', '-n', internet, 'address', 'replace', `${OBJECT_STORAGE_ADDRESS}/32`, 'dev', 'lo']);
  const enter = (argv: readonly string[]): string[] =>
    inNamespace(internet, [
      ...['unshare', '--mount', '--propagation', 'private', 'sh', '-c', ENTER_SCRIPT, 'sh', state, root],
      ...argv,
    ]);
  const started = await startDetached(group, enter(['sh', '-c', CEPH_SCRIPT, 'sh', ...args]), log);
  await untilAnswering(internet, started, log);
  return {
    ...(await makeUser(enter)),
    endpoint: `http://${OBJECT_STORAGE_ADDRESS}:${PORT}`,
    tlsEndpoint: pem === undefined ? null : `https://${OBJECT_STORAGE_ADDRESS}:${TLS_PORT}`,
    region: 'us-east-1',
    setFrozen: (frozen) => setFrozen(group, frozen),
    cpuSeconds: () => cpuSecondsOf(group),
    close: () => killCgroup(group),
  };
}

/** Making pools takes some seconds on an idle machine, and a minute on a busy one. */
const LONGEST_START_MS = 180_000;

async function untilAnswering(internet: string, hasEnded: () => boolean, log: string): Promise<void> {
  const argv = inNamespace(internet, [
    'curl',
    '--silent',
    '--max-time',
    '5',
    '--fail',
    `http://${OBJECT_STORAGE_ADDRESS}:${PORT}/`,
  ]);
  const limit = Date.now() + LONGEST_START_MS;
  const anything = Array.from({ length: 128 }, (_, code) => code);
  while ((await command(argv, { okCodes: anything })).code !== 0) {
    if (hasEnded() || Date.now() > limit) {
      const words = (await readFile(log, 'utf8').catch(() => '')).trimEnd().split('\n').slice(-5).join(' | ');
      throw new Error(`The object storage did not come up; its log ends with: ${words}`);
    }
    await sleep(200);
  }
}

/** The keys are made by the program itself: as arguments they would be in the machine's list of processes. */
async function makeUser(enter: (argv: readonly string[]) => string[]): Promise<StorageKeys> {
  const argv = ['radosgw-admin', '-c', CEPH_CONF, 'user', 'create', '--uid', 'perlstack'];
  const { stdout } = await command(enter([...argv, '--display-name', 'perlstack']));
  const { keys } = JSON.parse(stdout) as { keys: { access_key: string; secret_key: string }[] };
  const [made] = keys;
  if (made === undefined) throw new Error('The object storage made a user without keys');
  return { accessKeyId: made.access_key, secretAccessKey: made.secret_key };
}

/** From the processes themselves: a control group knows it only where it has the controller. */
async function cpuSecondsOf(group: Cgroup): Promise<number> {
  if (!(await isPopulated(group))) return 0;
  const pids = await processesOf(group.unified);
  const stats = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')));
  return stats.reduce((sum, stat) => {
    const [user = '0', system = '0'] = stat
      .slice(stat.lastIndexOf(')') + 2)
      .split(' ')
      .slice(11, 13);
    return sum + (Number(user) + Number(system)) / 100;
  }, 0);
}
