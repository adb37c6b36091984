import { keysOf, chooseCluster, readCatalogue } from '@perlstack/backup';
import { type Ground, LAYOUT, type Usage } from './ground.js';
import type { Driven, Peer } from './pgbackrest.js';

/** What a backup of ours took. */
export interface BackupTook extends Usage {
  /** Through the runner, in both directions. */
  readonly through: number;
  readonly peakMB: number;
  /** Of the object in the bucket, in bytes. */
  readonly size: number;
  /** From before the copy began until its object was whole, in seconds: what pgBackRest's command does, and no more. */
  readonly copySeconds: number;
}

export interface Backups {
  readonly ours: readonly BackupTook[];
  readonly peer: readonly Usage[];
  /** By pgBackRest too, and by our action. */
  readonly driven: readonly Usage[];
  readonly floor: readonly Usage[];
}

/** The action as a user's workflow starts it. */
export async function backUp(
  ground: Ground,
  inputs: Readonly<Record<string, string>> = {},
): Promise<BackupTook> {
  const { site, runner, endpoint } = ground;
  const step = site.step(
    'pg-backup-to-object-storage',
    { endpoint, ...inputs },
    { prefix: runner.on([]), env: runner.env },
  );
  try {
    const before = await runner.bytes();
    const { result, ...usage } = await ground.measure(() => step.run());
    if (result.code !== 0) throw new Error(`the backup failed: ${result.output.slice(-2_000)}`);
    return {
      ...usage,
      through: (await runner.bytes()) - before,
      peakMB: await runner.peakMB(),
      ...(await copyOf(ground, step.entries('OUTPUT')['backup'] ?? '')),
    };
  } finally {
    step.remove();
  }
}

async function copyOf({ site }: Ground, id: string): Promise<{ size: number; copySeconds: number }> {
  const systemId = await chooseCluster(site.bucket, site.hosts.stack.stack);
  const keys = keysOf(site.hosts.stack.stack).cluster(systemId);
  const { backups } = await readCatalogue(site.bucket, keys);
  const manifest = backups.find((backup) => backup.manifest.id === id)?.manifest;
  const seen = manifest && (await site.bucket.head(manifest.object.key));
  if (!seen) throw new Error(`backup ${id} is not in the bucket`);
  return { size: seen.size, copySeconds: (+seen.modified - Date.parse(manifest.startedAt)) / 1_000 };
}

/** The same copy and compression, in the way that takes least, and nothing sent. */
const FLOOR = `cd / && runuser -u postgres -- ${LAYOUT.programs}/pg_basebackup -D - -F tar -X fetch --checkpoint=fast \\
  --no-manifest --compress=server-zstd:level=3,workers=2 > /dev/null`;

/** One after the other in each run, so that what else the machine does falls on all. */
export async function measureBackups(
  ground: Ground,
  peer: Peer,
  driven: Driven,
  runs: number,
): Promise<Backups> {
  const ours: BackupTook[] = [];
  const others: Usage[] = [];
  const drivenRuns: Usage[] = [];
  const floor: Usage[] = [];
  for (let run = 0; run < runs; run += 1) {
    ours.push(await backUp(ground));
    others.push(await ground.measure(() => peer.backup()));
    drivenRuns.push(await driven.backup());
    floor.push(await ground.measure(() => ground.host(FLOOR)));
  }
  return { ours, peer: others, driven: drivenRuns, floor };
}
