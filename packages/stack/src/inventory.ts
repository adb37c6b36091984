import { z } from 'zod';

/**
 * One server of the stack, as every package above sees it. Secrets are never part of it, so that an inventory
 * can be printed, passed between jobs and committed.
 */
export const HostSchema = z.strictObject({
  /** Tier and number, `web-1`: the name that every log, plan and table uses. */
  name: z.string().regex(/^[a-z][a-z0-9-]*$/),
  tier: z.string(),
  /** Address on the internet; `null` when nothing may reach the host from outside. */
  publicAddress: z.string().nullable(),
  /** Address inside the VPC: what the other tiers talk to. */
  privateAddress: z.string().nullable(),
  /** Where SSH goes: an address that the runner, or the host named by `via`, can reach. */
  ssh: z.strictObject({
    address: z.string(),
    port: z.number().int().min(1).max(65_535).default(22),
    user: z.string().default('deploy'),
    /** Accepted host keys as `SHA256:<base64 without padding>`; never empty: no key is trusted at first sight. */
    hostKeys: z.array(z.string().regex(/^SHA256:[A-Za-z0-9+/]{43}$/)).min(1),
    /** Name of the host in this inventory through which SSH goes (a web host), or `null` for a direct connection. */
    via: z.string().nullable().default(null),
  }),
  /** Memory in MiB and vCPUs, from the Linode type; `null` where nobody said (hosts that exist already). */
  memoryMiB: z.number().int().positive().nullable().default(null),
  vcpus: z.number().int().positive().nullable().default(null),
  /** Disk in MiB, from the Linode. */
  diskMiB: z.number().int().positive().nullable().default(null),
  /** What fails together with it (a rack, a placement group); `null` where that is not known. */
  placement: z.string().nullable().default(null),
  /** Linode id, or `null` for a host that was not provisioned by us. */
  linodeId: z.number().int().nullable().default(null),
});
export type Host = z.infer<typeof HostSchema>;

export const InventorySchema = z.strictObject({
  stack: z.string(),
  hosts: z.array(HostSchema),
});
/** All servers of one stack: what `provision` writes and every later action reads. */
export type Inventory = z.infer<typeof InventorySchema>;

/** The hosts of one tier, in the order of their numbers. */
export function hostsOf(inventory: Inventory, tier: string): Host[] {
  return inventory.hosts.filter((host) => host.tier === tier);
}
