import { setTimeout as sleep } from 'node:timers/promises';
import { UserError, messageOf } from '@perlstack/stack';
import { command } from './command.js';
import type { Log } from './image.js';

/** The Debian or Ubuntu packages that hosts need on the outer machine. */
export const HOST_PACKAGES = [
  'debian-archive-keyring',
  'haproxy',
  'iproute2',
  'mmdebstrap',
  'nftables',
  'openssh-client',
  'procps',
  'socat',
  'systemd-container',
];

const INSTEAD = 'the API in memory and every plan still work without hosts';

/** What keeps this machine from running hosts for good, in one line; `null` when nothing does. */
export function obstacle(machine: { platform: string; uid: number; hasApt: boolean }): string | null {
  if (machine.platform !== 'linux') return `hosts need Linux and this is ${machine.platform}; ${INSTEAD}`;
  if (!machine.hasApt)
    return `hosts need a Debian or Ubuntu machine (dpkg and apt-get are missing); ${INSTEAD}`;
  if (machine.uid !== 0) return `hosts need root (network namespaces, mounts): run it with sudo; ${INSTEAD}`;
  return null;
}

/** Why this machine can't run hosts, or `null`. Installs nothing. */
export async function whyNoHosts(): Promise<string | null> {
  const hasApt = await command(['dpkg-query', '--version']).then(
    () => true,
    () => false,
  );
  return obstacle({ platform: process.platform, uid: process.getuid?.() ?? -1, hasApt });
}

/** Those of the packages that `dpkg-query`'s answer does not show as installed. */
export function missingFrom(packages: readonly string[], dpkgAnswer: string): string[] {
  const installed = new Set(
    dpkgAnswer
      .split('\n')
      .filter((line) => line.endsWith(' installed'))
      .map((line) => line.split(' ')[0]),
  );
  return packages.filter((name) => !installed.has(name));
}

export async function missingPackages(packages: readonly string[] = HOST_PACKAGES): Promise<string[]> {
  // It fails when one of the packages is unknown, and still answers for the others.
  const query = ['dpkg-query', '--show', '--showformat=${Package} ${db:Status-Status}\\n', ...packages];
  return missingFrom(packages, (await command(query, { okCodes: [0, 1] })).stdout);
}

const APT = { env: { DEBIAN_FRONTEND: 'noninteractive' } };
const LOCK_WAIT_MS = 300_000;

/** `apt-get` with another one running waits for it, as `DPkg::Lock::Timeout` does for the locks it knows. */
async function aptGet(argv: readonly string[]): Promise<void> {
  const limit = Date.now() + LOCK_WAIT_MS;
  for (;;) {
    const { code, stderr } = await command(['apt-get', '--quiet', ...argv], { ...APT, okCodes: [0, 100] });
    if (code === 0) return;
    if (!stderr.includes('Could not get lock') || Date.now() > limit) {
      throw new Error(stderr.trim().split('\n').slice(-2).join(' '));
    }
    await sleep(1000);
  }
}

/**
 * Makes sure that this machine can run hosts, and installs the packages that are missing.
 *
 * @throws {UserError} with the reason when it can't
 */
export async function requireHosts(log: Log): Promise<void> {
  const reason = await whyNoHosts();
  if (reason !== null) throw new UserError(`can't run hosts here: ${reason}`);
  const missing = await missingPackages();
  if (missing.length === 0) return;
  log(`installing ${missing.join(' ')}`);
  try {
    await aptGet(['update']);
    await aptGet(['install', '--yes', '--no-install-recommends', ...missing]);
  } catch (error) {
    throw new UserError(`can't run hosts here: installing ${missing.join(' ')} failed: ${messageOf(error)}`);
  }
}
