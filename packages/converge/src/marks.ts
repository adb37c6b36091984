import {
  type ConfigBundle,
  type ManagedFile,
  upstreamServers,
  type UpstreamServer,
  withDown,
  withoutDown,
} from '@perlstack/configs';
import { sha256 } from './records.js';
import type { Observed, ObservedFile } from './world.js';

/** A server that gets no requests by a file that is to be written, though rendering knows nothing of that. */
export interface Mark {
  readonly server: string;
  /** The host behind it. */
  readonly host: string;
  /** `kept`: a deploy took it out of service. `new`: no web host knows it yet, and no release can be on it. */
  readonly why: 'kept' | 'new';
}

/** By path of the file. */
export type Marks = Readonly<Record<string, readonly Mark[]>>;

/**
 * Pure: what others marked in the live files and has to stay there, by host. A host that does not have the file yet, or
 * not that server, goes by what the others have; where none of them has any, as on a new stack, nothing is marked.
 */
export function marksOf(bundle: ConfigBundle, observed: Observed): ReadonlyMap<string, Marks> {
  const kept = bundle.hosts.flatMap(({ host, services }) =>
    services.flatMap(({ files }) =>
      files
        .filter(({ keeps }) => keeps !== undefined)
        .map((file) => ({ host, file, live: serversIn(file, observed.hosts[host]?.files[file.path]) })),
    ),
  );
  const marks = new Map<string, Marks>();
  for (const { host, file, live } of kept) {
    const everywhere = kept.filter(({ file: { path } }) => path === file.path).flatMap((one) => one.live);
    marks.set(host, { ...marks.get(host), [file.path]: marksIn(file, live, everywhere) });
  }
  return marks;
}

function serversIn(file: ManagedFile, there: ObservedFile | undefined): UpstreamServer[] {
  if (there === undefined || there === 'not-a-file') return [];
  // Contents come only where they differ.
  const text = there.content ?? (there.sha256 === sha256(file.content) ? file.content : '');
  return upstreamServers(text);
}

function marksIn(
  { keeps }: ManagedFile,
  live: readonly UpstreamServer[],
  everywhere: readonly UpstreamServer[],
): Mark[] {
  if (everywhere.length === 0) return [];
  return (keeps?.servers ?? []).flatMap(({ server, host }): Mark[] => {
    const own = live.filter((one) => one.server === server);
    const known = own.length > 0 ? own : everywhere.filter((one) => one.server === server);
    if (known.length === 0) return [{ server, host, why: 'new' }];
    return known.some(({ down }) => down) ? [{ server, host, why: 'kept' }] : [];
  });
}

/** The file as it is to be written. */
export function withMarks(file: ManagedFile, servers: readonly string[] = []): ManagedFile {
  return file.keeps && servers.length > 0 ? { ...file, content: withDown(file.content, servers) } : file;
}

/** What is there but for the marks of others: in them a file may differ and is as it should be. */
export function withoutMarks(
  { keeps }: ManagedFile,
  there: ObservedFile | undefined,
): ObservedFile | undefined {
  if (!keeps || there === undefined || there === 'not-a-file' || there.content === undefined) return there;
  return { ...there, sha256: sha256(withoutDown(there.content)) };
}

/** For a person: what of a file that is written would surprise. */
export function describeMarks(marks: readonly Mark[]): string[] {
  const say = (why: Mark['why'], one: string, more: string): string[] => {
    const hosts = marks.filter((mark) => mark.why === why).map(({ host }) => host);
    return hosts.length === 0 ? [] : [`${hosts.join(', ')} ${hosts.length === 1 ? one : more}`];
  };
  return [
    ...say('new', 'gets no requests until a release is on it', 'get no requests until a release is on them'),
    ...say('kept', 'stays out until a deploy puts it back', 'stay out until a deploy puts them back'),
  ];
}
