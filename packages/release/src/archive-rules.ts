import { posix } from 'node:path';

/** An entry of a tar archive, as its header has it. */
export interface ArchiveEntry {
  readonly path: string;
  /** The tar library's name of the type: `File`, `Directory`, `SymbolicLink`, `Link`, … */
  readonly type: string;
  /** Bytes of content. */
  readonly size: number;
  readonly mode: number;
  /** Target of a link. */
  readonly linkpath?: string;
}

const FILES = ['File', 'OldFile', 'ContiguousFile'];
const LINKS = ['SymbolicLink', 'Link'];

/** Names at the top of a release that are ours: its hash and its marks. */
export const OWN_PREFIX = '.perlstack-';

/**
 * What makes an archive one that must not be unpacked, named with its entry; undefined when there is nothing.
 * It is strict where strictness costs nobody anything: a release has no use for devices, set-user-id files or links
 * that lead out of it.
 */
export function faultOf(entries: readonly ArchiveEntry[]): string | undefined {
  const types = new Map<string, string>();
  for (const entry of entries) {
    const name = clean(entry.path);
    const fault = nameFault(entry) ?? typeFault(entry) ?? twiceFault(name, entry, types);
    if (fault !== undefined) return `${show(entry.path)} ${fault}`;
    types.set(name, entry.type);
  }
  return linkFaults(entries);
}

const clean = (path: string): string => posix.normalize(path).replace(/\/$/, '');

const show = (path: string): string => JSON.stringify(path.length > 120 ? `${path.slice(0, 120)}…` : path);

function nameFault({ path }: ArchiveEntry): string | undefined {
  if (path === '' || path.includes('\0')) return 'has no usable name';
  if (path.startsWith('/')) return 'is an absolute path';
  if (path.split('/').includes('..')) return 'leads out of the release by ".."';
  if (clean(path).startsWith(OWN_PREFIX))
    return `has a name that is kept for the deploy's own marks (${OWN_PREFIX}…)`;
  return undefined;
}

function typeFault({ type, mode }: ArchiveEntry): string | undefined {
  if (type === 'Directory' || LINKS.includes(type)) return undefined;
  if (!FILES.includes(type)) return `is neither file, folder nor link (${type})`;
  return mode & 0o6000 ? 'is a set-user-id or set-group-id file' : undefined;
}

/** An entry that comes twice, once as a link, makes what is unpacked depend on the order: the second goes through the link. */
function twiceFault(
  name: string,
  { type }: ArchiveEntry,
  types: ReadonlyMap<string, string>,
): string | undefined {
  const before = types.get(name);
  if (before === undefined || (before === type && !LINKS.includes(type))) return undefined;
  return `comes twice, as ${before} and as ${type}`;
}

function linkFaults(entries: readonly ArchiveEntry[]): string | undefined {
  const links = new Map<string, string>();
  for (const entry of entries) {
    if (entry.type === 'SymbolicLink') links.set(clean(entry.path), entry.linkpath ?? '');
  }
  const files = new Set(entries.filter(({ type }) => FILES.includes(type)).map(({ path }) => clean(path)));
  for (const entry of entries) {
    const through = parentsOf(clean(entry.path)).find((parent) => links.has(parent));
    if (through !== undefined)
      return `${show(entry.path)} would be written through the link ${show(through)}`;
    const target = entry.linkpath ?? '';
    if (entry.type === 'Link' && !files.has(clean(target))) {
      return `${show(entry.path)} is a hard link to ${show(target)}, which is no file of the archive`;
    }
    if (entry.type === 'SymbolicLink' && !staysInside(clean(entry.path), links)) {
      return `${show(entry.path)} is a link to ${show(target)}, out of the release`;
    }
  }
  return undefined;
}

/** The folders above a path, nearest last. */
function parentsOf(path: string): string[] {
  const parts = path.split('/').slice(0, -1);
  return parts.map((_, index) => parts.slice(0, index + 1).join('/'));
}

/** Links followed before a circle is assumed, as the kernel does it. */
const MOST_LINKS = 40;

/** Follows a symbolic link as the kernel would, link by link: "a/.." is not the folder of a when a is a link. */
function staysInside(link: string, links: ReadonlyMap<string, string>): boolean {
  const at: string[] = parentsOf(link).at(-1)?.split('/') ?? [];
  const rest = [link.split('/').at(-1) ?? ''];
  let followed = 0;
  while (rest.length > 0) {
    const part = rest.shift() ?? '';
    if (part === '' || part === '.') continue;
    if (part === '..') {
      if (at.pop() === undefined) return false;
      continue;
    }
    const target = links.get([...at, part].join('/'));
    if (target === undefined) {
      at.push(part);
      continue;
    }
    followed += 1;
    if (target === '' || target.startsWith('/') || followed > MOST_LINKS) return false;
    rest.unshift(...target.split('/'));
  }
  return true;
}
