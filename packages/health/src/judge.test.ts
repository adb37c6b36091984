import { describe, expect, it } from '@jest/globals';
import { judge } from './judge.js';
import type { Answer, HttpProbe } from './probe.js';

const probe: HttpProbe = { kind: 'http', url: 'http://10.0.0.1:5000/healthz' };
const answer = (status: number, body = '', headers: Record<string, string> = {}): Answer => ({
  kind: 'http',
  ms: 4.2,
  status,
  headers,
  body,
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
