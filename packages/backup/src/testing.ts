import { type Manifest, timeOfId } from './manifest.js';
import type { MemberSeen } from './members.js';

/** A manifest as the tests want it. */
export function exampleManifest(id: string, more: Partial<Manifest> = {}): Manifest {
  const at = timeOfId(id).toISOString();
  return {
    ...{ format: 1, id, stack: 'shop', kind: 'full', parent: null, proof: null, rows: {}, run: null },
    source: { host: 'database-2', role: 'replica', lagBytes: 0 },
    postgresql: { systemId: '7', major: 17, version: '17.6', databaseBytes: 1_000 },
    wal: { timeline: 1, startLsn: '0/5000028', stopLsn: '0/5000120', segmentBytes: 16_777_216 },
    ...{ startedAt: at, finishedAt: at, lockedUntil: null },
    object: {
      ...{
        key: `shop/postgresql/7/base/${id}/data.tar.zst`,
        size: 3,
        sha256: 'a'.repeat(64),
        etag: 'e',
        version: null,
      },
      ...{ parts: [{ part: 1, size: 3, md5: 'b'.repeat(32) }], recipient: null },
    },
    ...more,
  };
}

export function exampleMember(host: string, more: Partial<MemberSeen> = {}): MemberSeen {
  return {
    ...{
      host,
      inRecovery: true,
      systemId: '7',
      version: '17.6',
      timeline: 1,
      lsn: '0/5000000',
      streaming: true,
    },
    ...{ segmentBytes: 16_777_216, databaseBytes: 1, archiveMode: 'on', waiting: 0, dropped: [], book: null },
    ...{ archiveCommand: '/usr/local/lib/perlstack/archive-wal "%p" "%f"', archiveAltered: [], diskBytes: 1 },
    processors: 2,
    archived: { last: null, at: null, failed: null },
    ...more,
  };
}
