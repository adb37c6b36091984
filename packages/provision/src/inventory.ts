import {
  isProvisioned,
  jumpTier,
  settingsOf,
  type Host,
  type Inventory,
  type Stack,
  TIERS,
  type TierName,
  UserError,
} from '@perlstack/stack';
import { fingerprintsOf, hostName } from './names.js';
import type { ObservedLinode, Resources } from './observed.js';

/**
 * All servers of a stack: the Linodes that were found and the servers that the stack file names, in the order of tiers
 * and numbers. Private hosts are spread over the public ones through which SSH reaches them.
 *
 * @throws UserError when a Linode's tags hold no fingerprint: it can't be told whether it is the right host
 */
export function inventory(stack: Stack, resources: Pick<Resources, 'linodes'>): Inventory {
  const jump = jumpTier(stack);
  const doors = resources.linodes.filter(
    ({ tier, publicAddress }) => tier === jump && publicAddress !== null,
  );
  const hosts = TIERS.flatMap((tier) =>
    isProvisioned(stack, tier) ? linodesOf(tier, resources, doors) : existingHosts(stack, tier),
  );
  return { stack: stack.stack, hosts };
}

function linodesOf(
  tier: TierName,
  { linodes }: Pick<Resources, 'linodes'>,
  doors: readonly ObservedLinode[],
): Host[] {
  return linodes
    .filter((linode) => linode.tier === tier)
    .map((linode) => hostOf(linode, doorFor(linode, doors)));
}

/** The public host through which a private one is reached: always the same one, and not the same one for all. */
function doorFor({ number, publicAddress }: ObservedLinode, doors: readonly ObservedLinode[]): string | null {
  const door = doors[(number - 1) % Math.max(doors.length, 1)];
  return publicAddress === null && door ? hostName(door.tier, door.number) : null;
}

/** A Linode as a host; SSH goes to its public address, or by `via` to the one in the VPC. */
export function hostOf(linode: ObservedLinode, via: string | null): Host {
  const { label, tier, number, publicAddress, privateAddress, memoryMiB, vcpus, diskMiB } = linode;
  const hostKeys = fingerprintsOf(linode.tags);
  const address = publicAddress ?? privateAddress;
  if (hostKeys.length === 0) {
    throw new UserError(
      `${label} has no tag sshfp:… with the fingerprint of its host key, so no connection to it can be verified: put the tag back, or delete the Linode and run again`,
    );
  }
  if (address === null)
    throw new UserError(`${label} has neither a public nor a VPC interface: delete it and run again`);
  return {
    ...{
      name: hostName(tier, number),
      tier,
      publicAddress,
      privateAddress,
      memoryMiB,
      vcpus,
      diskMiB,
      // The hosts of a tier are in a group that keeps them apart: none of them fails with another.
      placement: null,
      linodeId: linode.id,
    },
    ssh: { address, port: 22, user: 'deploy', hostKeys, via },
  };
}

interface ExistingHost {
  readonly address: string;
  readonly privateAddress?: string | undefined;
  readonly placement?: string | undefined;
  readonly hostKey: string;
  readonly user: string;
  readonly port: number;
}

function existingHosts(stack: Stack, tier: TierName): Host[] {
  const hosts = (settingsOf(stack, tier)?.hosts ?? []) as readonly ExistingHost[];
  return hosts.map(({ address, privateAddress = null, placement = null, hostKey, user, port }, index) => ({
    ...{ name: hostName(tier, index + 1), tier, publicAddress: address, privateAddress },
    ...{ memoryMiB: null, vcpus: null, diskMiB: null, placement, linodeId: null },
    ssh: { address, port, user, hostKeys: [hostKey], via: null },
  }));
}
