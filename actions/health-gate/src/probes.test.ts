import { describe, expect, it } from '@jest/globals';
import { leavesOf } from '@perlstack/health';
import { HostSchema } from '@perlstack/stack';
import { type ProbeInputs, probesFrom } from './probes.js';

const inputs = (more: Partial<ProbeInputs>): ProbeInputs => ({
  urls: [],
  tcp: [],
  status: '200',
  contains: undefined,
  headers: [],
  'basic-auth': undefined,
  ca: undefined,
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
    expect(leavesOf(probes).map(({ kind, from }) => [kind, from])).toEqual([
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

  it('logs in, and believes the authorities that it is told', () => {
    const [probe] = probesFrom(
      inputs({ urls: ['https://a'], 'basic-auth': 'me:s3cret', status: '2xx, 404' }),
    );
    expect(probe).toMatchObject({ headers: { Authorization: 'Basic bWU6czNjcmV0' } });
    expect(probe).toMatchObject({ status: { length: 101 } });
    const twice = { urls: ['https://a'], 'basic-auth': 'me:s3cret', headers: ['authorization: x'] };
    expect(() => probesFrom(inputs(twice))).toThrow(
      /^Input "basic-auth": "headers" has an Authorization already/,
    );
    expect(() => probesFrom(inputs({ urls: ['https://a'], ca: 'none.pem' }))).toThrow(
      /^Input "ca": there is no file .*none\.pem; is a checkout/,
    );
    expect(() => probesFrom(inputs({ probes: '- { tls: "a:1", ca: none.pem }' }))).toThrow(
      /^Input "probes": ca: there is no file /,
    );
    const broken = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----';
    expect(() => probesFrom(inputs({ urls: ['https://a'], ca: broken }))).toThrow(
      /^Input "ca": no certificate of an authority in PEM form/,
    );
  });

  it('never quotes a header', () => {
    expect(() => probesFrom(inputs({ urls: ['http://a'], headers: ['s3cret'] }))).not.toThrow('s3cret');
  });
});
