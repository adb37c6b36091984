import { describe, expect, it } from '@jest/globals';
import { atPointer, holds, judge } from './judge.js';
import type { Answer, HttpProbe, ProgramProbe, Threshold, TlsProbe } from './probe.js';

const probe: HttpProbe = { kind: 'http', url: 'http://10.0.0.1:5000/healthz' };
const answer = (status: number, body = '', headers: Record<string, string> = {}): Answer => ({
  kind: 'http',
  ms: 4.2,
  status,
  headers,
  body,
  ...{ cut: false, redirects: 0, url: 'http://10.0.0.1:5000/healthz' },
});

describe('judge', () => {
  const byPath = { ...probe, release: { id: 'r2', path: '/version' } };
  const byHeader = { ...probe, release: { id: 'r2', header: 'X-Release' } };
  it.each<[string, HttpProbe, Answer[], boolean, string]>([
    ['the default status', probe, [answer(200)], true, '200'],
    ['another status', probe, [answer(503, 'going\n down')], false, '503 in 4 ms, body "going down"'],
    ['an empty answer', probe, [answer(502)], false, '502 in 4 ms, empty body'],
    ['a status of the list', { ...probe, status: [200, 204] }, [answer(204)], true, '204'],
    ['a body that fits', { ...probe, body: 'ok' }, [answer(200, 'all ok')], true, '200'],
    [
      'a body that does not',
      { ...probe, body: 'ok' },
      [answer(200, 'no')],
      false,
      '200 in 4 ms without "ok", body "no"',
    ],
    ['a header', { ...probe, answerHeaders: { 'X-A': '1' } }, [answer(200, '', { 'x-a': '1' })], true, '200'],
    [
      'a missing header',
      { ...probe, answerHeaders: { 'X-A': '1' } },
      [answer(200)],
      false,
      '200 in 4 ms with no header X-A',
    ],
    ['an answer in time', { ...probe, latencyMs: 5 }, [answer(200)], true, '200'],
    ['a slow answer', { ...probe, latencyMs: 4 }, [answer(200)], false, '200 in 4 ms, slower than 4 ms'],
    ['the release by path', byPath, [answer(200), answer(200, 'r2\n')], true, '200'],
    [
      'another release',
      byPath,
      [answer(200), answer(200, 'r1')],
      false,
      '200 in 4 ms of release "r1", not of r2',
    ],
    [
      'a longer release id',
      byPath,
      [answer(200), answer(200, 'r22')],
      false,
      '200 in 4 ms of release "r22", not of r2',
    ],
    [
      'no version page',
      byPath,
      [answer(200), answer(404, 'what?')],
      false,
      '/version: 404 in 4 ms, body "what?"',
    ],
    ['the release by header', byHeader, [answer(200, '', { 'x-release': 'r2' })], true, '200'],
    ['no release header', byHeader, [answer(200)], false, '200 in 4 ms of no named release, not of r2'],
    ['no answer', probe, [{ kind: 'error', ms: 1, error: 'refused' }], false, 'refused'],
    ['no second answer', byPath, [answer(200), { kind: 'error', ms: 1, error: 'reset' }], false, 'reset'],
  ])('judges %s', (_what, asked, answers, ok, seen) => {
    expect(judge(asked, answers)).toMatchObject({ ok, seen });
  });

  it('shows neither control characters nor a long body', () => {
    const { seen } = judge(probe, [answer(500, `\u001b[31m${'x'.repeat(5_000)}`)]);
    expect(seen).toMatch(/^500 in 4 ms, body "\[31mx{116}…"$/);
  });

  it('says when a program wrote more than is read', () => {
    const program: ProgramProbe = {
      ...{ kind: 'program', from: 'app-1', argv: ['x'] },
      judge: (code, output) => ({ ok: output.includes('fine'), seen: `exit code ${code}` }),
    };
    const said = (output: string, cut: boolean): Answer => ({ kind: 'program', ms: 1, code: 0, output, cut });
    expect(judge(program, [said('fine', true)])).toMatchObject({ ok: true, seen: 'exit code 0' });
    expect(judge(program, [said('x', true)])).toMatchObject({
      ...{ ok: false, from: 'app-1', seen: 'exit code 0; of more output, 1 MiB were read' },
    });
  });

  it('judges a TCP probe', () => {
    const tcp = { kind: 'tcp', address: '10.0.0.1', port: 5000, latencyMs: 10 } as const;
    expect(judge(tcp, [{ kind: 'tcp', ms: 1 }])).toMatchObject({
      ok: true,
      seen: 'open',
      probe: '10.0.0.1 port 5000',
    });
    expect(judge(tcp, [{ kind: 'tcp', ms: 11 }])).toMatchObject({
      ok: false,
      seen: 'open in 11 ms, slower than 10 ms',
    });
  });
});

describe('JSON in an answer', () => {
  const json = { ...probe, json: { pointer: '/checks/0/status', equals: 'up' } };
  it.each<[string, HttpProbe, string, boolean, string]>([
    ['that fits', json, '{"checks":[{"status":"up"}]}', true, '200'],
    [
      'that does not',
      json,
      '{"checks":[{"status":"down"}]}',
      false,
      '200 in 4 ms with /checks/0/status = "down", not "up"',
    ],
    ['that is not there', json, '{}', false, '200 in 4 ms without /checks/0/status in its JSON'],
    ['that is none', json, '<html>', false, '200 in 4 ms without JSON, body "<html>"'],
    ['of any value', { ...probe, json: { pointer: '/a' } }, '{"a":null}', true, '200'],
  ])('%s', (_what, one, body, ok, seen) => {
    expect(judge(one, [answer(200, body)])).toMatchObject({ ok, seen });
  });

  it.each([
    ['', { a: 1 }, { a: 1 }],
    ['/a~1b/~0', { 'a/b': { '~': 2 } }, 2],
    ['/toString', {}, undefined],
    ['/0', [7], 7],
  ])('%j points to its place', (pointer, document, value) => {
    expect(atPointer(document, pointer)).toEqual(value);
  });
});

describe('a query of Prometheus', () => {
  const series = { ...probe, series: { operator: '<', limit: 0.01, emptyIsFine: false } } as const;
  const vector = (...values: string[]): string =>
    JSON.stringify({
      status: 'success',
      data: { resultType: 'vector', result: values.map((value) => ({ metric: {}, value: [1, value] })) },
    });

  it.each<[string, HttpProbe, string, boolean, string]>([
    ['below the threshold', series, vector('0.001', '0'), true, '200: 0.001, 0'],
    ['with one series above it', series, vector('0.001', '0.5'), false, '0.5 is not < 0.01'],
    [
      'of many series',
      series,
      vector(...Array.from({ length: 2_000 }, (_, index) => String(index / 1e6))),
      true,
      '200: 2000 series from 0 to 0.001999',
    ],
    ['that is no number', series, vector('NaN'), false, 'NaN is not < 0.01'],
    ['without series', series, vector(), false, 'the query has no series'],
    [
      'without series, where that is fine',
      { ...series, series: { ...series.series, emptyIsFine: true } },
      vector(),
      true,
      '200: no series',
    ],
    [
      'of a scalar',
      series,
      '{"status":"success","data":{"resultType":"scalar","result":[1,"0"]}}',
      true,
      '200: 0',
    ],
    [
      'that is wrong',
      series,
      '{"status":"error"}',
      false,
      '200 in 4 ms, no answer of Prometheus, body "{"status":"error"}"',
    ],
  ])('%s', (_what, one, body, ok, seen) => {
    expect(judge(one, [answer(200, body)])).toMatchObject({ ok, seen });
  });

  it.each([
    ['<', 1, 2, true],
    ['<=', 2, 2, true],
    ['>', 2, 2, false],
    ['>=', 2, 2, true],
    ['==', 2, 2, true],
    ['!=', 1, 2, true],
    ['!=', NaN, 2, false],
  ] as const)('%s: %d and %d is %p', (operator: Threshold['operator'], value, limit, expected) => {
    expect(holds(value, { operator, limit })).toBe(expected);
  });
});

describe('a certificate', () => {
  const tls: TlsProbe = { kind: 'tls', address: 'a.example', port: 443, days: 14 };
  const shown = (days: number, problem: string | null = null): Answer => ({
    ...{ kind: 'tls', ms: 4, problem },
    validTo: Date.now() + (days + 0.5) * 86_400_000,
  });

  it.each<[string, Answer, boolean, RegExp]>([
    ['that lasts', shown(40), true, /^valid until \d{4}-\d\d-\d\d, 40 days from now$/],
    ['that ends soon', shown(3), false, /, 3 days from now, less than 14$/],
    ['that has ended', shown(-2, 'certificate has expired'), false, /^certificate has expired, valid until/],
    ['of another name', shown(40, 'Hostname mismatch'), false, /^Hostname mismatch, valid until/],
  ])('%s', (_what, one, ok, seen) => {
    const evidence = judge(tls, [one]);
    expect(evidence.ok).toBe(ok);
    expect(evidence.seen).toMatch(seen);
  });
});
