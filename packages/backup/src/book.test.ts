import { describe, expect, it } from '@jest/globals';
import { openStorage } from '@perlstack/object-storage';
import { namesFor, ticketHoursLeft, ticketsFor, writeBook } from './book.js';
import { keysOf } from './keys.js';
import { exampleMember } from './testing.js';
import type { Ways } from './ways.js';

const PLAN = { timeline: 1, lsn: '0/20000000', segmentBytes: 16_777_216, waiting: 3, perDay: 10 };

describe('namesFor', () => {
  it('begins before what waits, and goes on for a week of a segment a minute, on this timeline and the next', () => {
    const names = [...namesFor(PLAN)];
    expect(names.slice(0, 2)).toEqual(['00000002.history', '00000003.history']);
    expect(names.slice(15, 17)).toEqual(['00000011.history', '000000010000000000000015']);
    expect(names).toContain('00000002000000000000001F');
    expect(names).toHaveLength(16 + 2 * ticketsFor(10));
    expect(new Set(names).size).toBe(names.length);
  });
  it('has the histories of the timelines before, and of more than one that may come', () => {
    const names = [...namesFor({ ...PLAN, timeline: 4 })];
    expect(names.slice(0, 3)).toEqual(['00000002.history', '00000003.history', '00000004.history']);
    expect(names.slice(18, 20)).toEqual(['00000014.history', '000000040000000000000015']);
  });
  it('does not begin before the first segment', () =>
    expect([...namesFor({ ...PLAN, lsn: '0/1000000', waiting: 50 })][16]).toBe('000000010000000000000000'));
});

describe('ticketsFor', () => {
  it.each([
    [0, 10_080],
    [1_000, 21_000],
    [1_000_000, 60_000],
  ])('%i segments a day are %i tickets', (perDay, tickets) => expect(ticketsFor(perDay)).toBe(tickets));
});

describe('writeBook', () => {
  const storage = openStorage({
    ...{ endpoint: 'http://127.0.0.1:1', bucket: 'shop-backups' },
    ...{ accessKeyId: 'the-key', secretAccessKey: 'the-secret' },
  });
  const now = new Date('2026-11-27T02:00:00Z');

  it('says once what all URLs share, so that a URL is put together from a line', async () => {
    const names = ['00000002.history', '000000010000000000000005'];
    const options = {
      recipient: 'age1x',
      limitBytes: 1_000.4,
      now,
      ways: { once: 'condition', lock: null },
    } as const;
    const { content, tickets, expiresAt } = await writeBook(
      storage,
      keysOf('shop').cluster('7'),
      names,
      options,
    );
    const text = Buffer.concat([...content]).toString();
    const [head = '', lines = ''] = text.split('\n\n');
    const words: Record<string, string> = Object.fromEntries(
      head.split('\n').map((line) => [line.split(' ')[0] ?? '', line.replace(/^\S+ /, '')]),
    );
    expect(words).toMatchObject({
      system: '7',
      folder: 'http://127.0.0.1:1/shop-backups/shop/postgresql/7/wal/',
      ...{ suffix: '.zst.age', recipient: 'age1x', limit: '1000', until: '2026-12-04T02:00:00.000Z' },
    });
    const [, put, seen] = lines.split('\n')[1]?.split(' ') ?? [];
    const key = 'shop/postgresql/7/wal/00000001/000000010000000000000005.zst.age';
    const presigner = storage.presigner(7 * 86_400, now);
    const url = presigner.sign({ method: 'PUT', key, headers: { 'if-none-match': '*' } }).url;
    expect(`${words['folder']}00000001/000000010000000000000005.zst.age?${words['put']}${put}`).toBe(url);
    const look = presigner.sign({ method: 'HEAD', key }).url;
    expect(`${words['folder']}00000001/000000010000000000000005.zst.age?${words['head']}${seen}`).toBe(look);
    expect(text).not.toContain('the-secret');
    expect([tickets, +expiresAt]).toEqual([2, +now + 7 * 86_400_000]);
  });
});

describe('writeBook for a bucket with versions', () => {
  const storage = openStorage({
    ...{ endpoint: 'http://127.0.0.1:1', bucket: 'shop-backups', accessKeyId: 'k', secretAccessKey: 's' },
  });
  const now = new Date('2026-11-27T02:00:00Z');
  const names = ['000000010000000000000005'];
  const book = async (ways: Pick<Ways, 'once' | 'lock'>): Promise<string> => {
    const options = { recipient: null, limitBytes: 1, now, ways };
    const { content } = await writeBook(storage, keysOf('shop').cluster('7'), names, options);
    return Buffer.concat([...content]).toString();
  };

  it('has the host look first, and lock what it sends for as long as the rule says after the last ticket', async () => {
    const text = await book({ once: 'version', lock: { mode: 'GOVERNANCE', ms: 3_600_000 } });
    const until = '2026-12-04T03:00:00.000Z';
    expect(text).toContain(`\nlook first\nlock-mode GOVERNANCE\nlock-until ${until}\nput `);
    const key = 'shop/postgresql/7/wal/00000001/000000010000000000000005.zst';
    const headers = {
      'if-none-match': '*',
      'x-amz-object-lock-mode': 'GOVERNANCE',
      'x-amz-object-lock-retain-until-date': until,
    };
    const { signature } = storage.presigner(7 * 86_400, now).sign({ method: 'PUT', key, headers });
    expect(text).toContain(`\n\n${names[0] ?? ''} ${signature} `);
  });
  it('says nothing of it where writes hang on a condition', async () =>
    expect(await book({ once: 'condition', lock: null })).not.toMatch(/look|lock/));
});

describe('ticketHoursLeft', () => {
  const now = new Date('2026-11-27T02:00:00Z');
  const member = (until: string, last: string) => exampleMember('database-1', { book: { until, last } });
  it('is nothing without a book', () =>
    expect(ticketHoursLeft(exampleMember('database-1'), 1, now)).toBeNull());
  it('ends with the time, or with the tickets', () => {
    const far = member('2026-11-29T02:00:00Z', '0000000100000000000000FF');
    expect(ticketHoursLeft(far, 1, now)).toBe(48);
    expect(ticketHoursLeft(far, 2_400, now)).toBeCloseTo(2.5);
    expect(ticketHoursLeft(member('2026-11-26T02:00:00Z', '0000000100000000000000FF'), 1, now)).toBe(0);
  });
  it('is none on a timeline that the book does not know', () => {
    const book = { until: '2026-12-04T02:00:00Z', last: '0000000200000000000000FF' };
    expect(ticketHoursLeft(exampleMember('database-1', { book, timeline: 2 }), 1, now)).toBeCloseTo(168);
    expect(ticketHoursLeft(exampleMember('database-1', { book, timeline: 3 }), 1, now)).toBe(0);
  });
});
