import { HISTORY_NAME, SEGMENT_NAME } from './wal.js';

/** Everything of a stack lies below its name, so that stacks can share a bucket. */
export interface Keys {
  /** `shop/postgresql/`: below it a folder a cluster, by its system identifier. */
  readonly clusters: string;
  readonly lease: string;
  /** What drills found, a file each. */
  readonly drills: string;
  readonly cluster: (systemId: string) => ClusterKeys;
  readonly redis: RedisKeys;
  readonly dumps: DumpKeys;
}

/** Where backups of one kind lie, each in a folder of its own. */
export interface BackupKeys {
  /** Below it a folder a backup, by its id. */
  readonly bases: string;
  readonly data: (id: string, encrypted: boolean) => string;
  readonly manifest: (id: string) => string;
}

/** Redis has no identity that outlives a failover: all snapshots of a stack are in one folder. */
export interface RedisKeys extends BackupKeys {
  /** What drills of snapshots found, a file each. */
  readonly drills: string;
}

/** A dump is of whatever server: all of a stack are in one folder. Each has an object a database, and one of the roles. */
export interface DumpKeys extends Pick<BackupKeys, 'bases' | 'manifest'> {
  /** @param name what it is of, for who reads a listing; the number alone tells databases apart */
  readonly database: (id: string, number: number, name: string, encrypted: boolean) => string;
  readonly globals: (id: string, encrypted: boolean) => string;
  /** What drills of dumps found, a file each. */
  readonly drills: string;
}

export interface ClusterKeys extends BackupKeys {
  readonly systemId: string;
  readonly root: string;
  readonly wal: string;
  readonly segment: (name: string, encrypted: boolean) => string;
}

const suffix = (encrypted: boolean): string => (encrypted ? '.zst.age' : '.zst');

export function keysOf(stack: string): Keys {
  const clusters = `${stack}/postgresql/`;
  return {
    clusters,
    lease: `${stack}/lease.json`,
    drills: `${stack}/drills/`,
    cluster: (systemId) => {
      const root = `${clusters}${systemId}/`;
      return {
        ...{ systemId, root },
        ...backupKeys(`${root}base/`, 'data.tar'),
        wal: `${root}wal/`,
        segment: (name, encrypted) => `${root}wal/${folderOf(name)}${name}${suffix(encrypted)}`,
      };
    },
    redis: {
      ...backupKeys(`${stack}/redis/snapshot/`, 'data.rdb'),
      drills: `${stack}/redis/drills/`,
    },
    dumps: dumpKeys(`${stack}/pg_dump/`),
  };
}

const backupKeys = (bases: string, data: string): BackupKeys => ({
  bases,
  data: (id, encrypted) => `${bases}${id}/${data}${suffix(encrypted)}`,
  manifest: (id) => `${bases}${id}/manifest.json`,
});

function dumpKeys(root: string): DumpKeys {
  const bases = `${root}dump/`;
  return {
    ...{ bases, drills: `${root}drills/`, manifest: (id) => `${bases}${id}/manifest.json` },
    database: (id, number, name, encrypted) =>
      `${bases}${id}/${number}-${name.replaceAll(/[^A-Za-z0-9_-]/g, '_')}.dump${suffix(encrypted)}`,
    globals: (id, encrypted) => `${bases}${id}/globals.sql${suffix(encrypted)}`,
  };
}

/** A listing of one timeline is a listing of one folder. */
const folderOf = (name: string): string => (HISTORY_NAME.test(name) ? '' : `${name.slice(0, 8)}/`);

/** Name of a segment or history from its key; `null` for anything else. */
export function walNameOf(key: string): { readonly name: string; readonly encrypted: boolean } | null {
  const [, name = '', age] = /([^/]+?)\.zst(\.age)?$/.exec(key) ?? [];
  if (!SEGMENT_NAME.test(name) && !HISTORY_NAME.test(name)) return null;
  return { name, encrypted: age !== undefined };
}
