import { parseLsn, segmentAt, segmentOf } from '@perlstack/postgres';
import { SEGMENT_NAME, segmentName, type Switch, timelineOf } from './wal.js';

/** By timeline, the switches that lead to it. */
export type Histories = ReadonlyMap<number, readonly Switch[]>;

/** A timeline with the way that leads to it: after a recovery to a point of the past there are others beside it, which it left. */
export interface Line {
  readonly timeline: number;
  readonly switches: readonly Switch[];
}

/** Where a backup is, as its manifest says. */
export interface Position {
  readonly timeline: number;
  readonly stopLsn: string;
}

/** @returns `null` where no history tells the way to a timeline */
export function lineOf(histories: Histories, timeline: number): Line | null {
  const switches = histories.get(timeline) ?? [];
  return timeline > 1 && switches.length === 0 ? null : { timeline, switches };
}

/** Numbers of all timelines of which a bucket has something, some more than once. */
export const timelinesIn = ({
  backups,
  wal,
}: {
  readonly backups: readonly { readonly manifest: { readonly wal: Position } }[];
  readonly wal: ReadonlyMap<string, unknown>;
}): number[] => [...backups.map(({ manifest }) => manifest.wal.timeline), ...[...wal.keys()].map(timelineOf)];

/**
 * The line that the newest server was on: PostgreSQL never gives the number of a timeline that it can see a second time.
 *
 * @param timelines of all that there is: backups, and segments of the log
 * @returns `null` where the history of the newest is missing
 */
export const newestLine = (histories: Histories, timelines: Iterable<number>): Line | null => {
  let newest = 1;
  for (const one of [histories.keys(), timelines])
    for (const timeline of one) newest = Math.max(newest, timeline);
  return lineOf(histories, newest);
};

/**
 * Whether recovery along a line can begin with a backup: PostgreSQL refuses one that ends on a timeline behind the place where
 * the line left it ("not a child of this server's history").
 *
 * @param line `null`: nobody knows it, and none is left out
 */
export function isOn(line: Line | null, { timeline, stopLsn }: Position): boolean {
  if (!line || timeline === line.timeline) return true;
  const left = line.switches.find((one) => one.timeline === timeline);
  return left !== undefined && parseLsn(stopLsn) <= parseLsn(left.lsn);
}

/**
 * Whether a file of the log belongs to the way to a timeline. At a switch PostgreSQL reads the segment of the newer timeline, whose
 * beginning is a copy of the older one's; where it does not find that, it takes the older one's, with all that stands behind the
 * switch and is no part of the way.
 *
 * @param goal number of the timeline; none is newer than `Infinity`
 */
export function isOnWay(line: Line | null, goal: number, name: string, segmentBytes: number): boolean {
  // By the histories of all timelines a server finds a number for its own that nobody has.
  if (!SEGMENT_NAME.test(name)) return true;
  const timeline = timelineOf(name);
  if (timeline >= goal) return timeline === goal;
  const left = line?.switches.find((one) => one.timeline === timeline);
  return !left || segmentOf(name, segmentBytes) < segmentAt(left.lsn, segmentBytes);
}

/** The log in a bucket. */
export interface StoredLog {
  readonly names: Pick<ReadonlySet<string>, 'has'>;
  readonly segmentBytes: number;
}

/**
 * Where a line's newest timeline begins, if its first segment is not yet in the bucket and an older timeline's of the same place is:
 * up to there, and no further, the latter is the end of the log.
 */
export function bareSwitch(line: Line, log: StoredLog): Switch | null {
  const [before, last] = [line.switches.at(-2), line.switches.at(-1)];
  if (!last || hasAt(log, line.timeline, last)) return null;
  if (hasAt(log, last.timeline, last)) return last;
  // The timeline between two that came at once; one that lasted has segments, and where the last is missing, the one before is the end.
  const atOnce = before && segmentAt(before.lsn, log.segmentBytes) === segmentAt(last.lsn, log.segmentBytes);
  return atOnce ? bareSwitch(olderLine(line, last), log) : null;
}

/**
 * The line on which a time is looked for. What happened before a recovery to a time left a timeline is on that one as on the new one,
 * and on that one alone as long as the bucket has nothing of the new one: PostgreSQL would see the log end before the time.
 */
export function lineAt(line: Line, at: Date, log: StoredLog): Line {
  const last = line.switches.at(-1);
  if (!last || hasAt(log, line.timeline, last)) return line;
  const older = lineAt(olderLine(line, last), at, log);
  const isThere = older.timeline !== last.timeline || (last.before !== undefined && at < last.before);
  return isThere ? older : line;
}

const olderLine = ({ switches }: Line, { timeline }: Switch): Line => ({
  timeline,
  switches: switches.slice(0, -1),
});

const hasAt = ({ names, segmentBytes }: StoredLog, timeline: number, { lsn }: Switch): boolean =>
  names.has(segmentName(timeline, segmentAt(lsn, segmentBytes), segmentBytes));
