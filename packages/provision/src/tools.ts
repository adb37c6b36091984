import type { Clock, LinodeClient } from '@perlstack/linode';
import type { Remote } from '@perlstack/remote';
import type { Inventory, Stack } from '@perlstack/stack';

/** What the handlers of provisioning work with. */
export interface ProvisionTools {
  readonly client: LinodeClient;
  readonly stack: Pick<Stack, 'stack' | 'region'>;
  /** Public half of the key with which the workflow logs in: `ssh-ed25519 AAAA… comment`. */
  readonly sshPublicKey: string;
  /**
   * Opens SSH to the hosts of an inventory as the user `deploy`. Hosts have only just booted: it should wait for them
   * (`waitMs` of some minutes).
   */
  connect(inventory: Inventory): Remote;
  /** Default: the machine's clock. */
  readonly clock?: Clock;
}
