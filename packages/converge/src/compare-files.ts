import { type ManagedFile, type ServiceConfig, unifiedDiff } from '@perlstack/configs';
import type { Change, ChangedFile, Consent } from '@perlstack/engine';
import { describeMarks, type Mark, type Marks, withMarks, withoutMarks } from './marks.js';
import { encodeMode } from './records.js';
import { type Standing, standingOf, type State, stateOf, versionOf } from './standing.js';
import type { ObservedFile, ObservedHost, Ownership } from './world.js';

/** In what the files of a service differ from the bundle, and what becomes of that. */
export interface FileDifferences {
  readonly changes: readonly Change[];
  /** What is to be written before packages are installed. */
  readonly presets: readonly string[];
  readonly files: readonly string[];
  readonly removes: readonly string[];
  /** Files that change, for those who have to know in what. */
  readonly changed: readonly ChangedFile[];
  readonly refusals: readonly string[];
}

interface Item {
  readonly kind: 'preset' | 'file' | 'remove';
  readonly path: string;
  /** `null` when nothing is to be there. */
  readonly file: ManagedFile | null;
}

/** One path, as it stands. */
interface Found extends Item {
  readonly desired: State;
  readonly live: State;
  readonly standing: Standing;
  /** In what somebody changed it: against what is wanted, or against what we left. */
  readonly drift: string;
  readonly content: string | undefined;
  /** What is written there when it is to be right. */
  readonly after: string;
  readonly marks: readonly Mark[];
}

/** Pure. @param marks of this host's files */
export function compareFiles(
  host: string,
  service: ServiceConfig,
  observed: ObservedHost,
  consent: Consent,
  marks: Marks,
): FileDifferences {
  const complete = service.packages.every((name) => observed.packages.includes(name));
  const differing = itemsOf(service)
    .map((item) => lookAt(item, observed, complete, marks[item.path]))
    .filter(({ standing }) => standing !== 'right');
  const changing = differing.filter(({ standing }) => standing === 'due' || consent.drift === 'restore');
  const contested = differing.filter((found) => found.standing === 'contested' && !changing.includes(found));
  const paths = (kind: Item['kind']): string[] =>
    changing.filter((found) => found.kind === kind).map(({ path }) => path);
  return {
    changes: differing.map((found) => ({
      host,
      service: service.name,
      target: found.path,
      ...(changing.includes(found) ? changeOf(found) : driftOf(found)),
    })),
    presets: paths('preset'),
    files: paths('file'),
    removes: paths('remove'),
    changed: [...changing, ...contested].flatMap(changedFile),
    refusals: contested.map((found) => refusalOf(host, service.name, found)),
  };
}

function itemsOf({ presets = [], files, removes }: ServiceConfig): Item[] {
  const item = (kind: Item['kind'], path: string, file: ManagedFile | null): Item => ({ kind, path, file });
  return [
    ...presets.map((file) => item('preset', file.path, file)),
    ...files.map((file) => item('file', file.path, file)),
    ...removes.map((path) => item('remove', path, null)),
  ];
}

/** @param complete all packages of the service are installed */
function lookAt(item: Item, observed: ObservedHost, complete: boolean, marks: readonly Mark[] = []): Found {
  const { path, file } = item;
  const there = observed.files[path];
  const desired = file ? versionOf(file) : 'absent';
  // What a package will bring is not there to be seen yet.
  const unwanted = !complete || observed.unwanted.includes(path) ? 'other' : 'absent';
  const live = file ? stateOf(withoutMarks(file, there)) : unwanted;
  // What went with a removed package, or was in the hands of a run that ended, is nobody's edit.
  const known = complete && !observed.underWay.includes(path) ? observed.remembered[path] : undefined;
  // Of what must go, only that it is there was looked at.
  const remembered = file || known === 'absent' ? known : undefined;
  const standing = standingOf(desired, live, remembered);
  return {
    ...item,
    ...{ desired, live, standing },
    drift: difference(standing === 'contested' ? (remembered ?? desired) : desired, live),
    content: contentOf(there),
    after: file ? withMarks(file, serversOf(marks)).content : '',
    marks,
  };
}

const serversOf = (marks: readonly Mark[]): string[] => marks.map(({ server }) => server);

const contentOf = (there: ObservedFile | undefined): string | undefined =>
  there === undefined || there === 'not-a-file' ? undefined : there.content;

/** A path that becomes what it should be. */
function changeOf(found: Found): Pick<Change, 'kind' | 'what' | 'diff'> {
  const { kind, standing, live, desired, drift } = found;
  const plain = kind === 'remove' ? 'to be removed' : difference(live, desired);
  const what = { right: plain, due: plain, drifted: `drift, to be put back: ${drift}` };
  const whole = standing === 'contested' ? `${plain}, over drift: ${drift}` : what[standing];
  return {
    kind,
    what: [whole, ...describeMarks(found.marks)].join('; '),
    ...diffOf(found, 'to-desired'),
  };
}

/** A path that somebody changed, and that stays so. */
function driftOf(found: Found): Pick<Change, 'kind' | 'what' | 'diff'> {
  const contested = found.standing === 'contested';
  return {
    kind: 'drift',
    what: `drift, ${contested ? 'in the way of a change' : 'left as it is'}: ${found.drift}`,
    ...diffOf(found, contested ? 'to-desired' : 'to-live'),
  };
}

function refusalOf(host: string, service: string, { path, drift }: Found): string {
  return (
    `${host}: ${service}: ${path} is to change, but it is not as it was last brought into force (${drift}); ` +
    'undo that edit, or run again with drift: restore to overwrite it'
  );
}

function changedFile({ file, live, desired, content }: Found): ChangedFile[] {
  if (!file || file.secret) return [];
  const before = sameContent(live, desired) ? file.content : (content ?? null);
  return [{ path: file.path, before, after: file.content }];
}

const sameContent = (one: State, other: State): boolean =>
  typeof one !== 'string' && typeof other !== 'string' && one.sha256 === other.sha256;

function diffOf(
  { path, file, live, desired, content, after }: Found,
  direction: 'to-desired' | 'to-live',
): Pick<Change, 'diff'> {
  if (!file || sameContent(live, desired)) return {};
  if (file.secret) return { diff: '(secret changed)\n' };
  const there = live !== 'absent' && live !== 'other';
  if (there && content === undefined) return { diff: '(too long to show)\n' };
  const diff =
    direction === 'to-desired'
      ? unifiedDiff(path, content ?? null, after, false)
      : unifiedDiff(path, after, content ?? '', false);
  return diff ? { diff } : {};
}

/** `new`, `removed`, `content; mode 0644 → 0600`. */
function difference(from: State, to: State): string {
  if (from === 'other' || to === 'other') return from === 'absent' ? 'new' : 'is no plain file';
  if (from === 'absent') return 'new';
  if (to === 'absent') return 'removed';
  const ownership = ownershipDifference(from, to);
  return [...(from.sha256 === to.sha256 ? [] : ['content']), ...(ownership ? [ownership] : [])].join('; ');
}

/** `owner root:root → shop:shop; mode 0644 → 0600`; empty when there is none. */
export function ownershipDifference(actual: Ownership, desired: Ownership): string {
  const [from, to] = [`${actual.owner}:${actual.group}`, `${desired.owner}:${desired.group}`];
  return [
    ...(from === to ? [] : [`owner ${from} → ${to}`]),
    ...(actual.mode === desired.mode
      ? []
      : [`mode ${encodeMode(actual.mode)} → ${encodeMode(desired.mode)}`]),
  ].join('; ');
}
