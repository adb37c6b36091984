import { createHash } from 'node:crypto';
import { createTwoFilesPatch } from 'diff';
import type { ConfigBundle, HostBundle, ManagedFile, ServiceConfig } from './bundle.js';

const MASK = '(secret)\n';

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

/** SHA-256 of a bundle in hex: the same for the same bundle, whatever the order of its keys. Secrets go in as hashes. */
export function bundleDigest(bundle: ConfigBundle): string {
  const text = JSON.stringify(bundle, (_key, value: unknown) => {
    if (isSecretFile(value)) return sorted({ ...value, content: sha256(value.content) });
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? sorted(value) : value;
  });
  return sha256(text);
}

function sorted(value: object): object {
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function isSecretFile(value: unknown): value is ManagedFile {
  return typeof value === 'object' && value !== null && 'secret' in value && value.secret === true;
}

/** A bundle's files as a folder tree; secrets are masked. */
export function tree(bundle: ConfigBundle): { path: string; content: string }[] {
  return bundle.hosts.flatMap(({ host, services }) =>
    services
      .flatMap(({ presets = [], files }) => [...presets, ...files])
      .map(({ path, content, secret }) => ({ path: `${host}${path}`, content: secret ? MASK : content })),
  );
}

export interface FileDiff {
  readonly host: string;
  /** Absolute path of the file, or the name of the service where its packages, folders or unit differ. */
  readonly path: string;
  readonly change: 'added' | 'removed' | 'changed';
  /** Unified diff; of a secret only that it differs. */
  readonly patch: string;
}

/**
 * Unified diff of one file; `null` is a file that is not there. Of a secret nothing but the fact is shown. Empty
 * when both are the same.
 */
export function unifiedDiff(
  path: string,
  before: string | null,
  after: string | null,
  secret: boolean,
): string {
  if (before === after) return '';
  const [from, to] = [before === null ? '/dev/null' : path, after === null ? '/dev/null' : path];
  if (secret) return `--- ${from}\n+++ ${to}\n(secret content differs)\n`;
  return createTwoFilesPatch(from, to, before ?? '', after ?? '', undefined, undefined, {
    context: 3,
    headerOptions: { includeIndex: false, includeUnderline: false, includeFileHeaders: true },
  });
}

interface Part {
  readonly content: string;
  readonly secret: boolean;
}

/** All that can differ on a host, by path or service name. */
function partsOf(host: HostBundle | undefined): Map<string, Part> {
  const parts = new Map<string, Part>();
  if (!host) return parts;
  parts.set('users', { content: lines({ users: host.users }), secret: false });
  for (const service of host.services) {
    parts.set(service.name, { content: describeService(service), secret: false });
    for (const { path, content, secret } of [...(service.presets ?? []), ...service.files])
      parts.set(path, { content, secret });
  }
  return parts;
}

/** What a service is besides the content of its files. */
function describeService({ presets = [], files, ...service }: ServiceConfig): string {
  const modes = (of: readonly ManagedFile[]): object[] =>
    of.map(({ content: _content, keeps, ...file }) => (keeps ? { ...file, keeps: keeps.kind } : file));
  return lines({ ...service, presets: modes(presets), files: modes(files) });
}

/** JSON for people: a role's verifier is as good as its password to some. */
const lines = (value: object): string =>
  `${JSON.stringify(value, (key, part: unknown) => (key === 'verifier' ? MASK.trim() : part), 2)}\n`;

/** Everything in which two bundles differ, host by host, as unified diffs. */
export function diffBundles(before: ConfigBundle, after: ConfigBundle): FileDiff[] {
  const names = new Set([...before.hosts, ...after.hosts].map(({ host }) => host));
  const find = (bundle: ConfigBundle, name: string) => bundle.hosts.find(({ host }) => host === name);
  return [...names].flatMap((name) =>
    diffHost(name, partsOf(find(before, name)), partsOf(find(after, name))),
  );
}

function diffHost(host: string, before: Map<string, Part>, after: Map<string, Part>): FileDiff[] {
  return [...new Set([...before.keys(), ...after.keys()])].flatMap((path) => {
    const [old, next] = [before.get(path), after.get(path)];
    const secret = (old?.secret ?? false) || (next?.secret ?? false);
    const patch = unifiedDiff(path, old?.content ?? null, next?.content ?? null, secret);
    if (patch === '') return [];
    return [{ host, path, change: !old ? 'added' : !next ? 'removed' : 'changed', patch }];
  });
}
