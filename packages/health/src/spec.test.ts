import { describe, expect, it } from '@jest/globals';
import { probesOf } from './from-spec.js';
import { leavesOf } from './group.js';
import { nameOf } from './probe.js';
import { parseProbes } from './spec.js';

const read = (text: string) => parseProbes(text, 'Input "probes"');
const probes = (text: string, hosts: readonly string[] = ['db-1']) =>
  probesOf(read(text), (word) => (word === undefined || word === 'runner' ? [undefined] : hosts));

describe('a list of probes', () => {
  it.each<[string, object]>([
    ['- http: https://a.example/x', { kind: 'http', url: 'https://a.example/x' }],
    [
      '- { http: "http://a", status: [200, 204], contains: ok, redirects: 2, headers: { X: y }, answer: { Server: nginx }, latency: 300ms }',
      {
        status: [200, 204],
        body: 'ok',
        redirects: 2,
        headers: { X: 'y' },
        answerHeaders: { Server: 'nginx' },
        latencyMs: 300,
      },
    ],
    [
      '- { http: "http://a", json: { pointer: /db/0, equals: up } }',
      { json: { pointer: '/db/0', equals: 'up' } },
    ],
    ['- { http: "http://a", json: { pointer: /db } }', { json: { pointer: '/db' } }],
    [
      '- { http: "http://a", latency: { p95: 250ms, samples: 40 } }',
      { percentile: { share: 0.95, ms: 250, samples: 40 } },
    ],
    [
      '- { tcp: "[2001:db8::1]:22", from: web-1 }',
      { kind: 'tcp', address: '2001:db8::1', port: 22, from: 'db-1' },
    ],
    ['- { tls: "a.example:443" }', { kind: 'tls', address: 'a.example', port: 443, days: 14 }],
    ['- { tls: "10.0.0.1:443", servername: a.example, days: 30 }', { servername: 'a.example', days: 30 }],
    [
      '- { unit: nginx.service, on: web }',
      { kind: 'program', from: 'db-1', name: 'unit nginx.service on db-1' },
    ],
    [
      '- { command: [test, -e, "/x y"], on: app-1, name: file }',
      { argv: ['test', '-e', '/x y'], name: 'file (db-1)' },
    ],
    [
      '- { prometheus: "http://m:9090/prom", query: "up{job=\\"a\\"}", threshold: ">= 1" }',
      {
        url: 'http://m:9090/prom/api/v1/query?query=up%7Bjob%3D%22a%22%7D',
        series: { operator: '>=', limit: 1, emptyIsFine: false },
        name: 'Prometheus: up{job="a"}',
      },
    ],
  ])('%s', (text, probe) => {
    expect(probes(text)).toMatchObject([probe]);
  });

  it('has groups in groups', () => {
    const text = `
- group: cache
  need: 2
  of:
    - { redis: any, on: cache }
    - { group: watchers, need: any, of: [{ sentinel: shop, on: cache }] }
- tcp: a:1`;
    expect(probes(text, ['c-1', 'c-2'])).toMatchObject([
      {
        kind: 'group',
        name: 'cache',
        need: 2,
        of: [
          { name: 'Redis on c-1' },
          { name: 'Redis on c-2' },
          { kind: 'group', name: 'watchers', need: 'any', of: [{ from: 'c-1' }, { from: 'c-2' }] },
        ],
      },
      { kind: 'tcp' },
    ]);
    expect(() => probes(text.replace('need: 2', 'need: 4'), ['c-1', 'c-2'])).toThrow(
      'probes: 4 of the 3 members of "cache" can never be healthy',
    );
  });

  it('knows how many bytes a lag may have', () => {
    const [spec] = read('- { postgres: replica, on: db, lag: { bytes: 16MiB, time: 30s } }');
    expect(spec?.lag).toEqual({ bytes: 16_777_216, time: 30_000 });
    expect(() => read('- { redis: any, on: c, lag: { bytes: 0MiB } }')).toThrow(
      'must be a size such as 16MiB',
    );
  });

  it('takes classes of status codes', () => {
    const [probe] = probes('- { http: "http://a", status: [2xx, 404] }');
    expect(probe).toMatchObject({ status: { length: 101, 0: 200, 99: 299, 100: 404 } });
  });

  it('has one probe for each host of a tier', () => {
    const found = leavesOf(probes('- { postgres: any, on: database }', ['db-1', 'db-2']));
    expect(found.map(({ from }) => from)).toEqual(['db-1', 'db-2']);
  });

  it.each([
    ['- { htp: "http://a" }', 'Input "probes":1:5 0.htp: unknown key; did you mean "http"?'],
    ['- { tcp: "a:1", http: "http://a" }', 'Input "probes":1:3 0: must be exactly one of http, tcp, tls,'],
    ['- { name: x }', 'Input "probes":1:3 0: must be exactly one of http'],
    ['- http: ftp://a', 'Input "probes":1:9 0.http: found "ftp://a"; must be a URL that begins with'],
    [
      '- { tcp: "a:1", status: 200 }',
      '0.status: found 200; must be no key of a tcp probe, which has from, name, latency',
    ],
    ['- unit: nginx.service', '0: must be a probe with "on", as unit is looked at on a host'],
    ['- { prometheus: "http://m", query: up }', '0: must be a probe with "query" and "threshold"'],
    [
      '- { prometheus: "http://m", query: up, threshold: "about 1" }',
      'must be a comparison such as "< 0.01"',
    ],
    ['- { redis: any, on: c, lag: { time: 3s } }', 'must be in bytes: Redis does not know it in time'],
    ['- { http: "http://a", latency: { p95: 1s, p99: 2s } }', 'exactly one of p50, p75, p90, p95, p99'],
    ['- { command: "rm -rf /", on: a }', '0.command: found "rm -rf /"; must be a list'],
    [
      '- { group: a, of: [{ group: b, of: [{ group: c, of: [{ group: d, of: [{ tcp: "a:1" }] }] }] }] }',
      '0.of.0.of.0.of.0.group: found "d"; must be a probe: no more than 3 groups stand in one another',
    ],
    [
      '- { unit: nginx.service, on: runner }',
      '0.on: found "runner"; must be the name of a host or of a tier',
    ],
    ['- { group: a, of: [] }', '0.of: must have at least 1 entry'],
    ['- { group: a }', '0: must be a group with the list "of" of its members'],
    ['- { group: a, of: [{ tpc: "a:1" }] }', '0.of.0.tpc: unknown key; did you mean "tcp"?'],
    ['- { group: a, latency: 1s, of: [{ tcp: "a:1" }] }', 'no key of a group probe, which has need, of'],
    ['- { tcp: "a:1", need: any }', '0.need: found "any"; must be no key of a tcp probe'],
    ['- { http: "http://a", status: 6xx }', 'must be a status such as 200, or a class of them such as 2xx'],
    ['- { http: "http://a", location: nowhere }', 'must be a URL, or a path that begins with /'],
    ['[]', 'it lists no probe'],
    ['http: "http://a"', 'must be a list'],
  ])('%s is refused', (text, message) => {
    expect(() => read(text)).toThrow(message);
  });

  it('never quotes a header, nor a login in a URL', () => {
    const broken = '- { http: "http://a", headers: { Authorization: "Bearer hunter2\\n" } }';
    expect(() => read(broken)).toThrow(/headers\.Authorization: must be one line/);
    const [probe] = leavesOf(probes('- http: "https://me:hunter2@a.example/x"'));
    expect(probe && nameOf(probe)).toBe('https://a.example/x');
  });
});
