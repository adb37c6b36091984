import { killCgroup, removeCgroup, setFrozen } from './cgroup.js';
import { command } from './command.js';
import { type Context, changeRecord, findRecord, machineOf } from './context.js';
import { namespaceOf } from './links.js';
import { enterArgv, leaderOf } from './machine.js';
import { portName } from './names.js';
import { inNamespace } from './network.js';
import { type Cut, type Direction, type HostRecord, addressesOf, routerOf } from './record.js';

/** Harm done to hosts from outside, for tests; hosts are named by Linode id or label. */
export interface Faults {
  /** Power loss: the link goes dead first, so that no peer gets so much as a reset, then every process is killed. */
  kill(host: number | string): Promise<void>;
  /** The machine stands still: no process runs and nothing passes its link. */
  freeze(host: number | string): Promise<void>;
  thaw(host: number | string): Promise<void>;
  /** Drops what the host sends (`out`), what is sent to it (`in`) or both; only between it and `peer` if one is named. */
  cutLink(host: number | string, options?: { direction?: Direction; peer?: number | string }): Promise<void>;
  /** Takes back every cut of the host. */
  restoreLink(host: number | string): Promise<void>;
  /** Drops a share of the packets each way; 0 ends it. */
  setLoss(host: number | string, percent: number): Promise<void>;
  /**
   * Delays each packet to the host; 0 ends it.
   *
   * @returns `null`, or why this machine can't do it (its kernel has no netem)
   */
  setDelay(host: number | string, milliseconds: number): Promise<string | null>;
  /** Puts a folder of a running host, with what is in it, on a disk of its own with so little space left. */
  shrinkDisk(host: number | string, folder: string, freeMiB: number): Promise<void>;
  /** Takes the small disk away again, with what was written to it; the folder's old content comes back. */
  restoreDisk(host: number | string, folder: string): Promise<void>;
}

export function createFaults(context: Context): Faults {
  const record = (host: number | string): HostRecord => findRecord(context, host);
  const group = (host: number | string) => machineOf(context, record(host)).group;

  return {
    kill: async (host) => {
      await context.network.unplug(record(host).spec);
      await killCgroup(group(host));
      await removeCgroup(group(host));
    },
    freeze: async (host) => {
      await changeRecord(context, { ...record(host), frozen: true });
      await setFrozen(group(host), true);
    },
    thaw: async (host) => {
      await setFrozen(group(host), false);
      await changeRecord(context, { ...record(host), frozen: false });
    },
    cutLink: async (host, options = {}) => {
      const peers = options.peer === undefined ? null : addressesOf(record(options.peer).spec);
      const cut: Cut = { direction: options.direction ?? 'both', peers };
      await changeRecord(context, { ...record(host), cuts: [...record(host).cuts, cut] });
    },
    restoreLink: async (host) => {
      await changeRecord(context, { ...record(host), cuts: [] });
    },
    setLoss: async (host, percent) => {
      if (!(percent >= 0 && percent <= 100)) throw new Error(`loss of ${percent} %: must be 0 to 100`);
      await changeRecord(context, { ...record(host), lossPercent: Math.round(percent) });
    },
    setDelay: (host, milliseconds) => setDelay(context, record(host), milliseconds),
    shrinkDisk: (host, folder, freeMiB) => shrinkDisk(context, record(host), folder, freeMiB),
    restoreDisk: (host, folder) => inside(context, record(host), ['umount', '--lazy', folder]),
  };
}

async function setDelay(
  context: Context,
  { spec }: HostRecord,
  milliseconds: number,
): Promise<string | null> {
  for (const link of spec.interfaces) {
    const device = ['dev', portName(link.id), 'root'];
    const queue =
      milliseconds > 0
        ? ['replace', ...device, 'netem', 'delay', `${milliseconds}ms`]
        : ['delete', ...device];
    const router = namespaceOf(context.names, routerOf(link));
    const { code, stderr } = await command(inNamespace(router, ['tc', 'qdisc', ...queue]), {
      okCodes: [0, 1, 2],
    });
    if (code !== 0 && milliseconds > 0) return `this machine can't delay packets: ${stderr.trim()}`;
  }
  return null;
}

const SHRINK = `
aside=$(mktemp -d)
size=$(($(du --summarize --block-size=1K "$1" | cut -f1) + $2 * 1024))
mount -t tmpfs -o "size=\${size}k" tmpfs "$aside"
cp -a "$1/." "$aside/"
mount --bind "$aside" "$1"
umount "$aside"
rmdir "$aside"
`;

async function shrinkDisk(
  context: Context,
  record: HostRecord,
  folder: string,
  freeMiB: number,
): Promise<void> {
  await inside(context, record, ['sh', '-euc', SHRINK, 'sh', folder, String(freeMiB)]);
}

async function inside(context: Context, record: HostRecord, argv: readonly string[]): Promise<void> {
  const leader = await leaderOf(machineOf(context, record).group);
  if (leader === null) throw new Error(`host ${record.spec.label} is off`);
  await command(enterArgv(leader, argv));
}
