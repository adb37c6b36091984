import { setImmediate as others } from 'node:timers/promises';
import { LONGEST_SIGNED_S, lockHeaders, type Storage } from '@perlstack/object-storage';
import { segmentAt, segmentOf } from '@perlstack/postgres';
import type { ClusterKeys } from './keys.js';
import type { MemberSeen } from './members.js';
import { historyName, segmentName, timelineOf } from './wal.js';
import { lockFrom, type Ways } from './ways.js';

/** What the tickets of a book are for. */
export interface BookPlan {
  readonly timeline: number;
  /** Of the primary now: earlier segments are in the bucket, or wait and are among those just before it. */
  readonly lsn: string;
  readonly segmentBytes: number;
  /** Segments that wait to be archived now. */
  readonly waiting: number;
  /** Segments a day, as measured over the last days. */
  readonly perDay: number;
}

/** A server that writes a little hands over a segment a minute (`archive_timeout`). */
const LEAST_PER_DAY = 1_440;
const DAYS = LONGEST_SIGNED_S / 86_400;
/** Room for a server that writes three times as much as it used to. */
const MARGIN = 3;
/** A replica may be promoted again and again before the next backup, and others beside it; each history is a line. */
const MORE_TIMELINES = 16;
/** A book that a host can read through for each segment. */
const MOST = 60_000;

/** How many segments a book is for: a week at three times the usual pace, within bounds. */
export const ticketsFor = (perDay: number): number =>
  Math.min(MOST, Math.max(LEAST_PER_DAY, Math.ceil(perDay) * MARGIN) * DAYS);

/**
 * Names of what a book lets pass: the segments of this timeline, and of the next one, which begins somewhere among them
 * when a replica is promoted, and the histories: those that come with promotions, and those that came before, since PostgreSQL
 * finds no timeline behind one whose history is missing. They are made one by one, since there may be many.
 */
export function* namesFor({ timeline, lsn, segmentBytes, waiting, perDay }: BookPlan): Generator<string> {
  const now = segmentAt(lsn, segmentBytes);
  const first = now - BigInt(Math.min(waiting + 8, Number(now)));
  const count = ticketsFor(perDay);
  for (let one = 2; one <= timeline + MORE_TIMELINES; one++) yield historyName(one);
  for (const one of [timeline, timeline + 1])
    for (let at = 0; at < count; at++) yield segmentName(one, first + BigInt(at), segmentBytes);
}

export interface Book {
  /** In portions. */
  readonly content: readonly Buffer[];
  readonly tickets: number;
  readonly expiresAt: Date;
}

export interface BookOptions {
  /** Public key of age; `null`: nothing is encrypted. */
  readonly recipient: string | null;
  /** How much of the log may wait before it is let go. */
  readonly limitBytes: number;
  readonly ways: Pick<Ways, 'once' | 'lock'>;
  readonly now?: Date;
}

/**
 * Writes the tickets for a list of names, in the form that `archive-wal` reads: what all URLs share is there once. What is
 * locked stays so for the time that the rule says, also when it comes by the last ticket in its last hour.
 */
export async function writeBook(
  storage: Storage,
  keys: ClusterKeys,
  names: Iterable<string>,
  { recipient, limitBytes, ways, now }: BookOptions,
): Promise<Book> {
  const presigner = storage.presigner(LONGEST_SIGNED_S, now);
  const lock = lockFrom(ways.lock, presigner.expiresAt);
  const [put, head] = [
    presigner.signer({
      method: 'PUT',
      headers: { 'if-none-match': '*', ...(lock ? lockHeaders(lock) : {}) },
    }),
    presigner.signer({ method: 'HEAD' }),
  ];
  const line = (name: string): string => {
    const key = keys.segment(name, recipient !== null);
    return `${name} ${put(key).signature} ${head(key).signature}\n`;
  };
  const folder = `${storage.endpoint.replace(/\/$/, '')}/${storage.bucket}/${keys.wal}`;
  const words = [
    `system ${keys.systemId}`,
    `folder ${folder}`,
    `suffix ${recipient === null ? '.zst' : '.zst.age'}`,
    ...(recipient === null ? [] : [`recipient ${recipient}`]),
    `limit ${Math.round(limitBytes)}`,
    `until ${presigner.expiresAt.toISOString()}`,
    ...(ways.once === 'version' ? ['look first'] : []),
    ...(lock ? [`lock-mode ${lock.mode}`, `lock-until ${lock.until.toISOString()}`] : []),
    `put ${put('').common}`,
    `head ${head('').common}`,
  ];
  const content = [Buffer.from(`${words.join('\n')}\n\n`)];
  let tickets = 0;
  for (const some of portionsOf(names)) {
    content.push(Buffer.from(some.map(line).join('')));
    tickets += some.length;
    // To sign them all takes a good part of a second, in which what else is under way must not stand still.
    await others();
  }
  return { content, tickets, expiresAt: presigner.expiresAt };
}

/** A book is long: a portion of it leaves the heap before the next one is written. */
const PORTION = 500;

function* portionsOf(names: Iterable<string>): Generator<readonly string[]> {
  let some: string[] = [];
  for (const name of names) {
    if (some.push(name) < PORTION) continue;
    yield some;
    some = [];
  }
  if (some.length > 0) yield some;
}

/** An alarm this long before tickets end leaves time for a night without a backup, and for somebody to look. */
export const FEW_HOURS = 48;

/**
 * For how long a member can go on handing over its log, in hours: until its tickets are too old, or used up.
 *
 * @param perDay segments a day
 */
export function ticketHoursLeft(member: MemberSeen, perDay: number, now: Date): number | null {
  const { book, lsn, segmentBytes } = member;
  if (!book) return null;
  // A server that was promoted further than the book foresaw has none for its timeline.
  if (member.timeline > timelineOf(book.last)) return 0;
  const left = Number(segmentOf(book.last, segmentBytes) - segmentAt(lsn, segmentBytes));
  const byTime = (Date.parse(book.until) - +now) / 3_600_000;
  return Math.max(0, Math.min(byTime, perDay > 0 ? (left * 24) / perDay : byTime));
}
