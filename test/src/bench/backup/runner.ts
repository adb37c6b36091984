import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { command, type HostCloud } from '@perlstack/local-cloud';

/** A machine of its own on the internet, so that its one interface counts every byte that goes through it. */
export interface Runner {
  /** An argv that runs another on it. */
  on(argv: readonly string[]): string[];
  /** For a process of Node there: it leaves what it took, and trusts the gateway. */
  readonly env: Readonly<Record<string, string>>;
  /** Bytes in both directions so far, with all headers. */
  bytes(): Promise<number>;
  /** The most memory that the last process had, in MB. */
  peakMB(): Promise<number>;
}

/** On the internet, and no host's (RFC 5737). */
const ADDRESS = '198.51.100.20';
const DEVICE = 'runner';
/** How long anything there may take: ten times what it does. */
const LONGEST = '10m';

const WATCHER = `import { readFileSync, writeFileSync } from 'node:fs';
process.on('exit', () => writeFileSync(process.env.PERLSTACK_TOOK, readFileSync('/proc/self/status')));
`;

/**
 * Its namespace goes with the cloud, whose name it begins with.
 *
 * @param certificate file of the gateway's certificate
 */
export async function makeRunner(cloud: HostCloud, folder: string, certificate: string): Promise<Runner> {
  const internet = cloud.internetNamespace;
  const own = internet.replace(/[^-]+$/, DEVICE);
  const commands = [
    `netns add ${own}`,
    `-n ${own} link set lo up`,
    `-n ${own} link add ${DEVICE} type veth peer name ${DEVICE} netns ${internet}`,
    `-n ${own} address add ${ADDRESS}/32 dev ${DEVICE}`,
    `-n ${own} link set ${DEVICE} up`,
    `-n ${internet} link set ${DEVICE} up`,
    `-n ${internet} ntable change name arp_cache dev ${DEVICE} proxy_delay 0`,
    `-n ${internet} route replace ${ADDRESS}/32 dev ${DEVICE}`,
    `-n ${own} route add default dev ${DEVICE}`,
  ];
  for (const line of commands) await command(['ip', ...line.split(' ')]);
  const [watcher, took] = [path.join(folder, 'watcher.mjs'), path.join(folder, 'took')];
  await writeFile(watcher, WATCHER);
  return {
    on: (argv) => ['timeout', LONGEST, 'ip', 'netns', 'exec', own, ...argv],
    env: {
      ...{ NODE_OPTIONS: `--import=${watcher}`, PERLSTACK_TOOK: took },
      NODE_EXTRA_CA_CERTS: certificate,
    },
    bytes: async () => {
      const { stdout } = await command(['ip', '-n', own, '-json', '-statistics', 'link', 'show', DEVICE]);
      const [link] = JSON.parse(stdout) as {
        stats64: Record<'rx' | 'tx', { bytes: number }>;
      }[];
      return (link?.stats64.rx.bytes ?? Number.NaN) + (link?.stats64.tx.bytes ?? Number.NaN);
    },
    peakMB: async () => {
      const kibibytes = /^VmHWM:\s+(\d+) kB$/m.exec(await readFile(took, 'utf8'))?.[1];
      return (Number(kibibytes) * 1_024) / 1e6;
    },
  };
}
