import { execFileSync } from 'node:child_process';
import { appendFileSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { boundOf, parseTraffic, plus, READ } from './traffic.js';

const LINE = (status: number, upstream: string, statuses: string, seconds: string): string =>
  `{"time":"t","client":"c","host":"h","method":"GET","uri":"/\\"x","scheme":"http","protocol":"p","referer":"","agent":"a",` +
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

  const read = (mark: string) =>
    parseTraffic(execFileSync('sh', ['-c', READ, 'read', log, '4', mark], { encoding: 'utf8' }));

  it('is counted by host from a mark on, every attempt for its own host', () => {
    writeFileSync(log, LINE(500, 'a:5000', '500', '0.001'));
    const { mark, byAddress } = read('');
    expect(byAddress.size).toBe(0);
    appendFileSync(
      log,
      LINE(200, 'a:5000', '200', '0.032') +
        LINE(200, 'a:5000, b:5000', '502, 200', '0.000, 0.016') +
        LINE(499, 'b:5000', '-', '0.500') +
        LINE(504, 'b:5000', '504', '2.000') +
        LINE(301, '', '', '') +
        LINE(404, '[fd00::1]:5000', '404', '0.001'),
    );
    const later = read(mark);
    expect(Object.fromEntries(later.byAddress)).toMatchObject({
      'a:5000': { requests: 2, errors: 1 },
      'b:5000': { requests: 2, errors: 1 },
      '[fd00::1]:5000': { requests: 1, errors: 0 },
    });
    expect(later.byAddress.get('a:5000')?.latency[0]).toBe(1);
    expect(later.byAddress.get('a:5000')?.latency[21]).toBe(1);
    expect(boundOf(21)).toBeGreaterThan(32);
    expect(read(later.mark).byAddress.size).toBe(0);
  });

  it('survives a rotation: no line is lost, none counts twice', () => {
    writeFileSync(log, LINE(200, 'a:5000', '200', '0.001'));
    const { mark } = read('');
    appendFileSync(log, LINE(200, 'a:5000', '200', '0.001').repeat(2));
    renameSync(log, `${log}.1`);
    writeFileSync(log, LINE(200, 'a:5000', '200', '0.001').repeat(3));
    const later = read(mark);
    expect(later.byAddress.get('a:5000')?.requests).toBe(5);
    expect(read(later.mark).byAddress.size).toBe(0);
  });

  it('leaves a line that is still being written to the next look', () => {
    writeFileSync(log, '');
    const { mark } = read('');
    const whole = LINE(200, 'a:5000', '200', '0.001');
    appendFileSync(log, whole + whole.slice(0, 150));
    const half = read(mark);
    expect(half.byAddress.get('a:5000')?.requests).toBe(1);
    appendFileSync(log, whole.slice(150));
    expect(read(half.mark).byAddress.get('a:5000')?.requests).toBe(1);
  });

  it('begins with a log that is not there yet', () => {
    const { mark } = read('');
    writeFileSync(log, LINE(200, 'a:5000', '200', '0.001'));
    expect(read(mark).byAddress.get('a:5000')?.requests).toBe(1);
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
