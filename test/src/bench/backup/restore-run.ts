import { text } from 'node:stream/consumers';
import {
  chooseBackup,
  clusterOf,
  keysOf,
  chooseCluster,
  readCatalogue,
  restoreFiles,
} from '@perlstack/backup';
import { openStorage, type StorageSpec } from '@perlstack/object-storage';
import { connect } from '@perlstack/remote';
import { type Inventory, parseStack } from '@perlstack/stack';

/** The part of a restore that brings the files back and checks them, as a process where a runner would be. */
export interface RestoreOrder {
  readonly stackFile: string;
  readonly inventory: Inventory;
  readonly privateKey: string;
  readonly storage: StorageSpec;
  readonly host: string;
  readonly data: string;
  /** Whether a drill found the backup good before. */
  readonly proven: boolean;
}

async function main(): Promise<void> {
  const order = JSON.parse(await text(process.stdin)) as RestoreOrder;
  const { stack } = parseStack(order.stackFile, 'perlstack.yml');
  const storage = openStorage(order.storage);
  const remote = connect(order.inventory, { privateKey: order.privateKey });
  remote.warm([order.host], { sudo: true });
  try {
    const systemId = await chooseCluster(storage, stack.stack);
    const catalogue = await readCatalogue(storage, keysOf(stack.stack).cluster(systemId));
    const backup = chooseBackup(catalogue.backups, null, { kind: 'latest' }, null);
    const run = {
      ...{ remote, storage, cluster: clusterOf(stack, order.inventory), identity: null },
      ...{ signal: new AbortController().signal, say: () => undefined },
    };
    const place = { host: order.host, data: order.data, scratch: '/run/perlstack-bench' };
    await restoreFiles(run, place, backup, catalogue, order.proven);
  } finally {
    storage.close();
    await remote.close();
  }
}

// Not awaited at the top: see `bundled`.
void main();
