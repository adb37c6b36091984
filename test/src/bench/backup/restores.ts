import { fileURLToPath } from 'node:url';
import { bundled, timed } from '../processes.js';
import { type Ground, HOST, LAYOUT, STACK, type Usage } from './ground.js';
import type { Peer } from './pgbackrest.js';
import type { RestoreOrder } from './restore-run.js';

export interface Restores {
  /** Of a backup that a drill found good. */
  readonly ours: readonly Usage[];
  /** Of one that nobody drilled: PostgreSQL reads all files again. */
  readonly unproven: readonly Usage[];
  readonly peer: readonly Usage[];
  readonly floor: readonly Usage[];
}

const FOLDER = `${LAYOUT.versionFolder}/restored`;
const PACKED = '/var/tmp/floor.tar.zst';

const PACK = `cd / && runuser -u postgres -- ${LAYOUT.programs}/pg_basebackup -D - -F tar -X fetch --checkpoint=fast |
  zstd -q -3 -T0 -c > ${PACKED}`;
/** The same files from the host's own disk, in blocks as large as a pipe, and nothing checked. */
const FLOOR = `zstd -q -d -c ${PACKED} | tar -x --blocking-factor=128 -f - -C ${FOLDER}`;

/** Each into an empty folder, one after the other in each run. */
export async function measureRestores(ground: Ground, peer: Peer, runs: number): Promise<Restores> {
  await ground.host(PACK);
  const into = async (work: () => Promise<unknown>): Promise<Usage> => {
    await ground.host(`rm -rf ${FOLDER} && install -d -m 0700 -o postgres -g postgres ${FOLDER}`);
    return ground.measure(work);
  };
  const took = { ours: [] as Usage[], unproven: [] as Usage[], peer: [] as Usage[], floor: [] as Usage[] };
  for (let run = 0; run < runs; run += 1) {
    took.ours.push(await into(() => restoreOurs(ground, true)));
    took.unproven.push(await into(() => restoreOurs(ground, false)));
    took.peer.push(await into(() => peer.restore(FOLDER)));
    took.floor.push(await into(() => ground.host(FLOOR)));
  }
  await ground.host(`rm -rf ${FOLDER} ${PACKED}`);
  return took;
}

const RESTORE_RUN = fileURLToPath(new URL('restore-run.js', import.meta.url));

async function restoreOurs({ site, runner, endpoint }: Ground, proven: boolean): Promise<void> {
  const { accessKeyId, secretAccessKey, region } = site.storage;
  const order: RestoreOrder = {
    ...{ stackFile: STACK, inventory: site.hosts.inside, privateKey: site.hosts.privateKey },
    storage: { endpoint, region, bucket: site.bucket.bucket, accessKeyId, secretAccessKey },
    ...{ host: HOST, data: FOLDER, proven },
  };
  const argv = runner.on([process.execPath, await bundled(RESTORE_RUN)]);
  await timed(argv, { input: JSON.stringify(order), env: { PATH: process.env['PATH'], ...runner.env } });
}
