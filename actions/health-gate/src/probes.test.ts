import { describe, expect, it } from '@jest/globals';
import { HostSchema } from '@perlstack/stack';
import { type ProbeInputs, probesFrom } from './probes.js';

const inputs = (more: Partial<ProbeInputs>): ProbeInputs => ({
  urls: [],
  tcp: [],
  status: '200',
  contains: undefined,
  headers: [],
  latency: 500,
  probes: undefined,
  inventory: undefined,
  'follow-redirects': 0,
  ...more,
});

describe('probesFrom', () => {
  it('makes an HTTP probe of every URL, with everything that is asked of its answer', () => {
    const [probe] = probesFrom(
      inputs({
        urls: ['https://a.example/x'],
        status: '200, 204',
        contains: 'ok',
        headers: ['Authorization: Basic x:y'],
      }),
    );
    expect(probe).toEqual({
      kind: 'http',
      url: 'https://a.example/x',
      status: [200, 204],
      body: 'ok',
      headers: { Authorization: 'Basic x:y' },
      latencyMs: 500,
    });
  });

  it.each([
    ['a.example:5432', 'a.example', 5432],
    ['[2001:db8::1]:22', '2001:db8::1', 22],
  ])('reads %s', (text, address, port) => {
    expect(probesFrom(inputs({ tcp: [text] }))).toEqual([{ kind: 'tcp', address, port, latencyMs: 500 }]);
  });

  it.each([
    ['nothing at all', {}, 'Nothing to probe'],
    ['a URL of another kind', { urls: ['ftp://a.example'] }, 'Input "urls": "ftp://a.example" is no URL'],
    ['a port out of range', { tcp: ['a:70000'] }, 'Input "tcp": "a:70000" is not of the form host:port'],
    [
      'a header without a name',
      { urls: ['http://a'], headers: ['s3cret'] },
      'Input "headers": line 1 is not',
    ],
  ])('refuses %s', (_what, more, message) => {
    expect(() => probesFrom(inputs(more))).toThrow(message);
  });

  it('takes more probes from YAML, a tier as each of its hosts', () => {
    const hosts = ['app-1', 'app-2'].map((name) =>
      HostSchema.parse({
        name,
        tier: 'app',
        publicAddress: null,
        privateAddress: '10.0.0.2',
        ssh: { address: '10.0.0.2', hostKeys: [`SHA256:${'a'.repeat(43)}`] },
      }),
    );
    const inventory = { stack: 'shop', hosts };
    const probes = probesFrom(
      inputs({ probes: '- { unit: nginx.service, on: app }\n- { tcp: "h:1", from: app-2 }', inventory }),
    );
    expect(probes.map(({ kind, from }) => [kind, from])).toEqual([
      ['program', 'app-1'],
      ['program', 'app-2'],
      ['tcp', 'app-2'],
    ]);
    expect(() => probesFrom(inputs({ probes: '- { unit: a, on: web }', inventory }))).toThrow(
      /"web" is no host and no tier of the inventory: app, app-1, app-2/,
    );
    expect(() => probesFrom(inputs({ probes: '- { unit: a, on: web }' }))).toThrow(
      /set the inputs "inventory" and "ssh-private-key"/,
    );
  });

  it('never quotes a header', () => {
    expect(() => probesFrom(inputs({ urls: ['http://a'], headers: ['s3cret'] }))).not.toThrow('s3cret');
  });
});
