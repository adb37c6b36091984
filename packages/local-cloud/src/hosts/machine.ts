import { randomBytes } from 'node:crypto';
import { mkdir, statfs, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { HostSpec } from '../driver.js';
import {
  type Cgroup,
  type CgroupLayout,
  createCgroup,
  isPopulated,
  killCgroup,
  limitMemory,
  processesOf,
} from './cgroup.js';
import { command } from './command.js';
import { startDetached } from './service.js';
import type { HostPaths } from './store.js';

/** Signal to systemd as PID 1 that means "power off" (SIGRTMIN+4). */
const POWER_OFF_SIGNAL = 38;

/** Longest wait for a host to shut down in order, as on the real cloud; then it is switched off. */
const SHUTDOWN_LIMIT_MS = 120_000;

const OVERLAY_MAGIC = 0x794c7630;

/** Whether a folder is itself on an overlay (inside a container), where the kernel takes no upper layer. */
export async function isOnOverlay(folder: string): Promise<boolean> {
  return (await statfs(folder)).type === OVERLAY_MAGIC;
}

/** Makes a host's disk: the image below, and above it what is this host's own. */
export async function makeDisk(spec: HostSpec, imageRoot: string, paths: HostPaths): Promise<void> {
  for (const folder of [paths.upper, paths.work, paths.root])
    await mkdir(folder, { recursive: true, mode: 0o755 });
  await mountOverlay(imageRoot, paths);
  const etc = join(paths.root, 'etc');
  // A machine id that is there already keeps systemd from treating every boot as the first one.
  await writeFile(join(etc, 'machine-id'), `${randomBytes(16).toString('hex')}\n`);
  await writeFile(join(etc, 'hostname'), `${spec.label}\n`);
  await writeFile(join(etc, 'hosts'), `127.0.0.1 localhost\n127.0.1.1 ${spec.label}\n::1 localhost\n`);
  if (spec.authorizedKeys.length === 0) return;
  await mkdir(join(paths.root, 'root/.ssh'), { recursive: true, mode: 0o700 });
  await writeFile(join(paths.root, 'root/.ssh/authorized_keys'), `${spec.authorizedKeys.join('\n')}\n`, {
    mode: 0o600,
  });
}

async function mountOverlay(imageRoot: string, paths: HostPaths): Promise<void> {
  const layers = `lowerdir=${imageRoot},upperdir=${paths.upper},workdir=${paths.work}`;
  const mount = (options: string): string[] => [
    'mount',
    '-t',
    'overlay',
    'overlay',
    '-o',
    options,
    paths.root,
  ];
  // Without `volatile` every fsync of dpkg waits for the outer disk; a host's disk need not outlive the machine.
  const quick = await command(mount(`${layers},volatile`), { okCodes: [0, 1, 32] });
  if (quick.code !== 0) await command(mount(layers));
}

export async function removeDisk(paths: HostPaths): Promise<void> {
  await command(['umount', '--lazy', paths.root], { okCodes: [0, 1, 32] });
}

/** systemd-nspawn's command line for a host. */
export function nspawnArgv(name: string, namespace: string, spec: HostSpec, root: string): string[] {
  return [
    'systemd-nspawn',
    `--directory=${root}`,
    `--machine=${name}`,
    `--hostname=${spec.label}`,
    '--register=no',
    '--keep-unit',
    `--network-namespace-path=/run/netns/${namespace}`,
    '--resolv-conf=off',
    '--timezone=off',
    '--link-journal=no',
    '--capability=CAP_NET_ADMIN',
    '--console=read-only',
    '--boot',
  ];
}

// systemd inside the host looks for cgroup v2 at /sys/fs/cgroup; where v1 is mounted there, it gets a mount namespace
// in which that is so. systemd-nspawn ends with 133 when a host reboots itself. A host that powers itself off takes its
// network with it, as a machine does.
const SUPERVISE = `\
layout=$1 group=$2 namespace=$3
shift 3
if [ "$layout" = mixed ]; then umount -l /sys/fs/cgroup; mount -t cgroup2 cgroup2 /sys/fs/cgroup; fi
code=133
while [ "$code" -eq 133 ]; do
  code=0
  sh -euc 'echo $$ > "$0/cgroup.procs"; exec "$@"' "/sys/fs/cgroup$group/machine" "$@" || code=$?
done
ip netns delete "$namespace"
`;

// The supervisor stands in a group beside the host's own: a group with processes of its own can't hand controllers down.
function supervisorGroup(group: Cgroup): Cgroup {
  return { ...group, unified: join(group.unified, 'supervisor') };
}

/** Makes a host's control groups, with its memory limit. */
export async function makeGroups(group: Cgroup, memoryMiB: number): Promise<void> {
  await createCgroup(group);
  await createCgroup(supervisorGroup(group));
  await createCgroup({ ...group, unified: join(group.unified, 'machine') });
  await limitMemory(group, memoryMiB);
}

/** What is needed to switch a host on. */
export interface Machine {
  readonly spec: HostSpec;
  readonly group: Cgroup;
  readonly paths: HostPaths;
  /** Name that no other machine of any cloud has. */
  readonly name: string;
  /** Network namespace. */
  readonly namespace: string;
}

/** Until its init takes over, in milliseconds: milliseconds on an idle machine. */
const BOOT_LIMIT_MS = 120_000;

/** Switches a host on; resolves when its init has taken over. */
export async function powerOn(layout: CgroupLayout, machine: Machine): Promise<void> {
  const { spec, group, paths, name, namespace } = machine;
  const kind = layout.pure ? 'pure' : 'mixed';
  const supervisor = [
    'sh',
    '-euc',
    SUPERVISE,
    'sh',
    kind,
    group.unified.slice(layout.unified.length),
    namespace,
  ];
  const argv = [...supervisor, ...nspawnArgv(name, namespace, spec, paths.root)];
  const apart = ['unshare', '--mount', '--propagation', 'private'];
  const hasEnded = await startDetached(supervisorGroup(group), [...apart, ...argv], paths.console);
  const limit = Date.now() + BOOT_LIMIT_MS;
  while ((await leaderOf(group)) === null) {
    await sleep(20);
    if (!hasEnded() && Date.now() < limit) continue;
    const how = hasEnded() ? 'ended before its' : `ran for ${BOOT_LIMIT_MS / 1_000} s and no`;
    throw new Error(`host ${spec.label}: systemd-nspawn ${how} init took over; see ${paths.console}`);
  }
}

/** Process id of a running host's init, as the outer machine sees it; `null` when it is off or not yet so far. */
export async function leaderOf(group: Cgroup): Promise<number | null> {
  const [pid] = await processesOf(join(group.unified, 'machine', 'payload', 'init.scope'));
  return pid ?? null;
}

/** Asks a host to power off and waits; after two minutes it is switched off as it is. */
export async function powerOff(group: Cgroup): Promise<void> {
  const leader = await leaderOf(group);
  if (leader !== null) process.kill(leader, POWER_OFF_SIGNAL);
  const limit = Date.now() + SHUTDOWN_LIMIT_MS;
  while ((await isPopulated(group)) && Date.now() < limit) await sleep(50);
  await killCgroup(group);
}

/** An argv that runs another inside a host, as root at its console. */
export function enterArgv(leader: number, argv: readonly string[]): string[] {
  const spaces = ['--mount', '--uts', '--ipc', '--net', '--pid', '--cgroup', '--root', '--wd=/'];
  const environment = [
    'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    'HOME=/root',
    'TERM=xterm',
  ];
  return ['nsenter', `--target=${leader}`, ...spaces, 'env', '-i', ...environment, ...argv];
}
