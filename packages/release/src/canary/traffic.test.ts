import { execFileSync } from 'node:child_process';
import { appendFileSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { boundOf, bucketOf, parseTraffic, plus, READ, type Traffic } from './traffic.js';

const LINE = (status: number, upstream: string, statuses: string, seconds: string, time = 't'): string =>
  `{"time":"${time}","client":"c","host":"h","method":"GET","uri":"/\\"x","scheme":"http","protocol":"p","referer":"","agent":"a",` +
  `"status":"${status}","upstream":"${upstream}","upstream_status":"${statuses}","upstream_connect_seconds":"0.000",` +
  `"upstream_seconds":"${seconds}","request_id":"r","bytes":1,"seconds":0.001}\n`;

describe('the traffic in a log', () => {
  let folder: string;
  let log: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'traffic-'));
    log = join(folder, 'access.log');
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const parse = (...since: string[]) =>
    parseTraffic(execFileSync('sh', ['-c', READ, 'read', log, '16', '5000', ...since], { encoding: 'utf8' }));
  /** The log's end, without what was before. */
  const begin = (): string => parse('', '0', '0', '20', '').mark;
  const read = (mark: string) => {
    const { mark: now, windows } = parse(mark);
    expect(windows).toHaveLength(1);
    return { mark: now, byAddress: windows[0] ?? new Map<string, Traffic>() };
  };

  it('is counted by host from a mark on, every attempt for its own host', () => {
    writeFileSync(log, LINE(500, 'a:5000', '500', '0.001'));
    const mark = begin();
    appendFileSync(
      log,
      LINE(200, 'a:5000', '200', '0.032') +
        LINE(200, 'a:5000, b:5000', '502, 200', '0.000, 0.016') +
        LINE(499, 'b:5000', '-', '0.500') +
        LINE(499, 'c:5000', '-', '5.100') +
        LINE(504, 'b:5000', '504', '2.000') +
        LINE(301, '', '', '') +
        LINE(404, '[fd00::1]:5000', '404', '0.001'),
    );
    const later = read(mark);
    expect(Object.fromEntries(later.byAddress)).toMatchObject({
      'a:5000': { requests: 2, errors: 1 },
      'b:5000': { requests: 3, errors: 1 },
      'c:5000': { requests: 1, errors: 1 },
      '[fd00::1]:5000': { requests: 1, errors: 0 },
    });
    expect(later.byAddress.get('a:5000')?.latency[0]).toBe(1);
    expect(later.byAddress.get('a:5000')?.latency[bucketOf(32)]).toBe(1);
    expect(boundOf(bucketOf(32))).toBeGreaterThan(32);
    expect(boundOf(bucketOf(32) - 1)).toBeLessThanOrEqual(32);
    expect(read(later.mark).byAddress.size).toBe(0);
  });

  it('survives a rotation: no line is lost, none counts twice', () => {
    writeFileSync(log, LINE(200, 'a:5000', '200', '0.001'));
    const mark = begin();
    appendFileSync(log, LINE(200, 'a:5000', '200', '0.001').repeat(2));
    renameSync(log, `${log}.1`);
    writeFileSync(log, LINE(200, 'a:5000', '200', '0.001').repeat(3));
    const later = read(mark);
    expect(later.byAddress.get('a:5000')?.requests).toBe(5);
    expect(read(later.mark).byAddress.size).toBe(0);
  });

  it('leaves a line that is still being written to the next look', () => {
    writeFileSync(log, '');
    const mark = begin();
    const whole = LINE(200, 'a:5000', '200', '0.001');
    appendFileSync(log, whole + whole.slice(0, 150));
    const half = read(mark);
    expect(half.byAddress.get('a:5000')?.requests).toBe(1);
    appendFileSync(log, whole.slice(150));
    expect(read(half.mark).byAddress.get('a:5000')?.requests).toBe(1);
  });

  it('begins with a log that is not there yet', () => {
    const mark = begin();
    writeFileSync(log, LINE(200, 'a:5000', '200', '0.001'));
    expect(read(mark).byAddress.get('a:5000')?.requests).toBe(1);
  });

  describe('before a canary', () => {
    /** So many seconds ago, as nginx writes it. */
    const ago = (seconds: number): string => {
      const then = new Date(Date.now() - 1_000 * seconds);
      const local = new Date(then.getTime() - 60_000 * then.getTimezoneOffset());
      return local.toISOString().replace(/\.\d+Z$/, '+00:00');
    };
    const requests = (count: number, seconds: number): string =>
      LINE(200, 'a:5000', '200', '0.001', ago(seconds)).repeat(count);
    const counts = (...since: string[]): (number | undefined)[] =>
      parse('', ...since, ...(since.length < 4 ? [''] : [])).windows.map(
        (window) => window.get('a:5000')?.requests,
      );

    it('is cut into stretches of the same length, as far back as it is wanted', () => {
      writeFileSync(
        log,
        requests(1, 5_000) + requests(2, 395) + requests(3, 250) + requests(4, 150) + requests(5, 3),
      );
      expect(counts('400', '1000000', '4')).toEqual([2, 3, 4, 5]);
      expect(counts('200', '1000000', '4')).toEqual([4, 5]);
    });

    it('leaves times out', () => {
      writeFileSync(
        log,
        requests(1, 380) + requests(2, 300) + requests(3, 210) + requests(4, 60) + requests(5, 3),
      );
      const now = Math.floor(Date.now() / 1_000);
      const without = `${now - 9_000}-${now - 370},${now - 250}-${now - 200}`;
      expect(counts('400', '1000000', '4', without)).toEqual([2, 9]);
    });

    it('begins where the log does', () => {
      writeFileSync(log, requests(1, 100) + requests(2, 60) + requests(3, 1));
      expect(counts('4000', '1000000', '2')).toEqual([3, 3]);
    });

    it('is read up to so many bytes, of whole lines that say when they were', () => {
      writeFileSync(log, requests(9, 100) + LINE(200, 'a:5000', '200', '0.001') + requests(3, 50));
      expect(counts('4000', String(3.5 * requests(1, 1).length), '1')).toEqual([3]);
      expect(counts('4000', '1000000', '1')).toEqual([12]);
    });

    it('is followed by the rest, of which nothing counts twice', () => {
      writeFileSync(log, requests(2, 10));
      const { mark } = parse('', '100', '1000000', '1', '');
      appendFileSync(log, requests(3, 0));
      expect(read(mark).byAddress.get('a:5000')?.requests).toBe(3);
    });

    it('is nothing where there is no log', () => {
      expect(parse('', '100', '1000000', '1', '')).toEqual({ mark: '0:0', windows: [] });
    });
  });

  it('adds up', () => {
    const a = { requests: 1, errors: 1, latency: [1] };
    expect(plus(a, { requests: 2, errors: 0, latency: [0, 2] })).toEqual({
      requests: 3,
      errors: 1,
      latency: [1, 2],
    });
  });
});
