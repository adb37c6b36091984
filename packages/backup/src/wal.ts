import { segmentAt, segmentOf } from '@perlstack/postgres';

/** Files of the write-ahead log as the bucket and PostgreSQL name them. */
export const SEGMENT_NAME = /^[0-9A-F]{24}$/;
export const HISTORY_NAME = /^[0-9A-F]{8}\.history$/;

const hex = (value: number | bigint): string => value.toString(16).toUpperCase().padStart(8, '0');

/** Segments per log file name, the second of the three parts of a name. */
const perLog = (segmentBytes: number): bigint => 2n ** 32n / BigInt(segmentBytes);

/** `000000010000000000000003` of timeline 1 and segment 3. */
export function segmentName(timeline: number, segment: bigint, segmentBytes: number): string {
  const each = perLog(segmentBytes);
  return `${hex(timeline)}${hex(segment / each)}${hex(segment % each)}`;
}

export const timelineOf = (name: string): number => Number.parseInt(name.slice(0, 8), 16);

export const historyName = (timeline: number): string => `${hex(timeline)}.history`;

/** Where a timeline was left for a later one. */
export interface Switch {
  readonly timeline: number;
  readonly lsn: string;
  /** Where a recovery to a time left it: when the first change was made of which the later one has nothing. */
  readonly before?: Date;
}

/** The switches that lead to a timeline, from the text of its `.history` file (PostgreSQL's timeline.c and xlogrecovery.c). */
export function parseHistory(text: string): Switch[] {
  return [...text.matchAll(/^(\d+)\s+([0-9A-F]+\/[0-9A-F]+)(.*)/gim)].map(
    ([, timeline, lsn = '', why = '']) => {
      const [, day, time, zone = ''] =
        /before (\S+) (\d\d:\d\d:\d\d(?:\.\d+)?)([+-]\d\d(?::?\d\d)?)\s*$/.exec(why) ?? [];
      const before = new Date(`${day}T${time}${/^.\d\d$/.test(zone) ? `${zone}:00` : zone}`);
      return { timeline: Number(timeline), lsn, ...(Number.isNaN(+before) ? {} : { before }) };
    },
  );
}

export interface CoverageInput {
  /** Where recovery begins. */
  readonly start: Switch;
  readonly segmentBytes: number;
  /** Names in the bucket, segments and histories. */
  readonly names: ReadonlySet<string>;
  /** By timeline, what its `.history` file says. */
  readonly histories: ReadonlyMap<number, readonly Switch[]>;
  /** The last segment that has to be there; without one, as far as the bucket goes. */
  readonly upTo?: string;
}

export interface Coverage {
  /** Every segment of the way that the bucket does not hold, in order. */
  readonly missing: readonly string[];
  /** The last segment up to which nothing is missing; `null` when even the first one is. */
  readonly last: string | null;
  readonly segments: number;
}

/**
 * Whether recovery can go from a base backup to the end of the log: every segment between, on the way through the
 * timelines as PostgreSQL takes it. At a switch it reads the segment with the name of the new timeline, whose beginning
 * is a copy of the old one's.
 */
export function coverage(input: CoverageInput): Coverage {
  const { names } = input;
  const way = wayOf(input);
  const missing = way.filter((name) => !names.has(name));
  const firstGap = way.findIndex((name) => !names.has(name));
  const whole = firstGap < 0 ? way : way.slice(0, firstGap);
  return { missing, last: whole.at(-1) ?? null, segments: way.length };
}

function wayOf({ start, segmentBytes, names, histories, upTo }: CoverageInput): string[] {
  const goal = upTo === undefined ? newestTimeline(start.timeline, histories) : timelineOf(upTo);
  const switches = (histories.get(goal) ?? []).filter(({ timeline }) => timeline >= start.timeline);
  const numbers = [...names]
    .filter((name) => SEGMENT_NAME.test(name) && timelineOf(name) === goal)
    .map((name) => segmentOf(name, segmentBytes));
  const end = upTo === undefined ? maximum(numbers) : segmentOf(upTo, segmentBytes);
  const way: string[] = [];
  let at = segmentAt(start.lsn, segmentBytes);
  for (const { timeline, lsn } of switches) {
    for (const left = segmentAt(lsn, segmentBytes); at < left; at++)
      way.push(segmentName(timeline, at, segmentBytes));
  }
  for (; end !== null && at <= end; at++) way.push(segmentName(goal, at, segmentBytes));
  return way;
}

/** The newest timeline that comes from another one. */
function newestTimeline(start: number, histories: CoverageInput['histories']): number {
  const descendants = [...histories]
    .filter(([, switches]) => switches.some(({ timeline }) => timeline === start))
    .map(([timeline]) => timeline);
  return Math.max(start, ...descendants);
}

const maximum = (numbers: readonly bigint[]): bigint | null =>
  numbers.reduce<bigint | null>((most, number) => (most === null || number > most ? number : most), null);
