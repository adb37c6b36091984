import { ARCHIVE } from '@perlstack/configs';
import { asPostgres } from '@perlstack/postgres';
import type { Remote } from '@perlstack/remote';
import type { Backup, Catalogue } from './catalogue.js';
import type { Cluster } from './cluster.js';
import type { Manifest } from './manifest.js';
import type { MemberSeen } from './members.js';
import type { Broken, StoredBackups } from './stored.js';

/** PostgreSQL's own manifests of backups that were made from a host: what the next one is compared with. */
const FOLDER = `${ARCHIVE.folder}/manifests`;

export const manifestFile = (id: string): string => `${FOLDER}/${id}`;

/** Incremental backups came with PostgreSQL 17. */
export const canBuildOn = (version: Cluster['version'], fullEvery: number): boolean =>
  version >= 17 && fullEvery > 1;

/** What a new backup builds on. */
export interface ParentChoice {
  /** `null`: it is a full one. */
  readonly parent: Manifest | null;
  /** What somebody should know of it, such as that a backup was full because the one before is broken. */
  readonly worry: string | null;
}

/**
 * What a new backup may build on: the newest one, when it was made from the same host, whose manifest is still there. Where a
 * later one is broken it is none: what else is not as it was stored is not known.
 *
 * @param present ids of the manifests on the host
 * @param fullEvery a full backup is made after so many; 1: every time
 */
export function chooseParent(
  { backups, broken }: Pick<Catalogue, 'backups' | 'broken'>,
  source: Pick<MemberSeen, 'systemId' | 'timeline'>,
  version: Cluster['version'],
  present: readonly string[],
  fullEvery: number,
): ParentChoice {
  const full = (worry: string | null = null): ParentChoice => ({ parent: null, worry });
  if (!canBuildOn(version, fullEvery)) return full();
  const newest = backups.at(-1)?.manifest;
  const later = broken.filter(({ id, unfinished }) => !unfinished && id > (newest?.id ?? '')).at(-1);
  if (later) return full(`A full backup, because backup ${later.id} is broken: ${later.why}`);
  if (!newest || !present.includes(newest.id)) return full();
  if (newest.postgresql.systemId !== source.systemId || newest.wal.timeline !== source.timeline)
    return full();
  return chainOf(backups, newest).length < fullEvery ? { parent: newest, worry: null } : full();
}

/**
 * Tells those apart that build on one that is not whole: nobody can restore them, whatever their own data are.
 *
 * @returns the same with these among the broken ones
 */
export function withWholeChains<T extends Pick<StoredBackups<Manifest>, 'backups' | 'broken'>>(stored: T): T {
  const whole = new Map<string, Backup>();
  const orphans: Broken[] = [];
  // What one builds on is older, and comes before it.
  for (const backup of stored.backups) {
    const { id, parent } = backup.manifest;
    if (parent === null || whole.has(parent)) whole.set(id, backup);
    else
      orphans.push({
        ...{ id, unfinished: false, objects: backup.objects ?? [] },
        why: `it builds on backup ${parent}, which is not whole`,
      });
  }
  return { ...stored, backups: [...whole.values()], broken: [...stored.broken, ...orphans] };
}

/** A backup with all that it builds on, the full one first. @throws Error when one of them is not there */
export function chainOf(backups: Catalogue['backups'], manifest: Manifest): Manifest[] {
  if (manifest.parent === null) return [manifest];
  const parent = backups.find((one) => one.manifest.id === manifest.parent)?.manifest;
  if (!parent)
    throw new Error(`backup ${manifest.id} builds on ${manifest.parent}, which is not whole any more`);
  return [...chainOf(backups, parent), manifest];
}

/** The manifests on a host; those of long ago go. */
export async function manifestsOn(remote: Remote, host: string, signal: AbortSignal): Promise<string[]> {
  const script = 'find "$1" -type f -mtime +60 -delete 2> /dev/null; ls -- "$1" 2> /dev/null || :';
  const { stdout } = await remote.script(host, script, [FOLDER], { sudo: true, signal, name: 'ls' });
  return stdout.split('\n').filter(Boolean);
}

/** Puts copies that build on each other together; what they were made of goes. */
export async function combine(
  remote: Remote,
  host: string,
  { programs }: Cluster['layout'],
  parts: readonly string[],
  into: string,
  signal: AbortSignal,
): Promise<void> {
  const argv = [`${programs}/pg_combinebackup`, ...parts, '-o', into];
  await remote.run(host, asPostgres(argv), { sudo: true, signal, name: 'pg_combinebackup' });
  await remote.run(host, ['rm', '-rf', '--', ...parts], { sudo: true, signal });
}
