import { describe, expect, it } from '@jest/globals';
import { platformOf, UserError } from '@perlstack/stack';
import { exampleHost, exampleStack } from '../examples.js';
import { render } from '../render.js';
import type { TlsFiles } from '../world.js';
import { hasHttp2Directive, listen } from './entry.js';
import { nginxSize } from './limits.js';
import { weightsOf } from './upstream.js';

const TLS: TlsFiles = { certificate: '(certificate)\n', privateKey: '(key)\n' };

const stackOf = (app: string, web = '{}') =>
  exampleStack(`stack: shop\nregion: us-ord\napp: ${app}\ntiers: { web: ${web} }\n`);

const HOSTS = [exampleHost('web-1', '10.10.0.2'), exampleHost('app-1', '10.10.1.2')];

function rendered(app: string, web = '{}', tls: TlsFiles | undefined = TLS) {
  const bundle = render(stackOf(app, web), { stack: 'shop', hosts: HOSTS }, { tls });
  const nginx = bundle.hosts[0]?.services.find(({ name }) => name === 'nginx');
  if (!nginx) throw new Error('web-1 has no nginx');
  const site = nginx.files.find(({ path }) => path === '/etc/nginx/conf.d/shop.conf')?.content ?? '';
  return { nginx, site, notes: bundle.notes };
}

/** The listeners of each server. */
const listeners = (site: string): string[][] =>
  site
    .split('\nserver {')
    .slice(1)
    .map((text) => [...text.matchAll(/listen (\d[^;]*);/g)].map(([, words]) => words ?? ''));

describe('the web server', () => {
  it.each<[string, string, string, string[][]]>([
    ['answers everybody where no domain is named', '{}', '{}', [['80 default_server']]],
    ['tells its own names from others', '{ domains: [a.test] }', '{}', [['80'], ['80 default_server']]],
    [
      'has one port for visitors and one to send them there',
      '{ domains: [a.test] }',
      '{ tls: { files: true } }',
      [['443 ssl'], ['80'], ['80 default_server', '443 default_server ssl']],
    ],
    [
      'reads who the client is from a NodeBalancer',
      '{ domains: [a.test] }',
      '{ entry: nodebalancer, tls: { files: true } }',
      [
        ['443 ssl proxy_protocol'],
        ['80 proxy_protocol'],
        ['80 default_server proxy_protocol', '443 default_server ssl proxy_protocol'],
      ],
    ],
  ])('%s', (_what, app, web, expected) => {
    expect(listeners(rendered(app, web).site)).toEqual(expected);
  });

  it.each([
    ['1.22', false],
    ['1.24', false],
    ['1.25.0', false],
    ['1.25.1', true],
    ['1.26', true],
    ['1.30', true],
    ['2.0', true],
  ])('nginx %s has a directive for HTTP/2: %p', (version, directive) => {
    expect(hasHttp2Directive(version)).toBe(directive);
    const platform = { ...platformOf(stackOf('{}')), nginx: version };
    const names = listen(stackOf('{}'), platform, { ports: [443], standard: false });
    expect(JSON.stringify(names).includes('"ssl","http2"')).toBe(!directive);
  });

  it('keeps the key for root, and shows it nowhere', () => {
    const { nginx } = rendered('{ domains: [a.test] }', '{ tls: { files: true } }');
    expect(nginx.files.filter(({ path }) => path.startsWith('/etc/nginx/tls'))).toEqual([
      expect.objectContaining({ path: '/etc/nginx/tls/shop.crt', mode: 0o644, secret: false }),
      expect.objectContaining({ path: '/etc/nginx/tls/shop.key', mode: 0o600, owner: 'root', secret: true }),
    ]);
    expect(rendered('{}').nginx.removes).toContain('/etc/nginx/tls/shop.key');
  });

  it('says so when the site is served without TLS', () => {
    expect(rendered('{ domains: [a.test] }').notes).toEqual([expect.stringMatching(/^web: .*without TLS/)]);
    expect(rendered('{ domains: [a.test] }', '{ tls: { files: true } }').notes).toEqual([]);
  });

  it('limits only what the stack file limits', () => {
    const { site } = rendered('{}');
    expect(site).toContain('client_max_body_size 20m;');
    expect(site).not.toMatch(/limit_(req|conn)/);
    const limited = rendered('{ limits: { body: 1GiB, rate: 5, burst: 0, connections: 9 } }').site;
    expect(limited).toContain('client_max_body_size 1024m;');
    expect(limited).toContain('rate=5r/s;');
    expect(limited).toContain('limit_req zone=perlstack_rate;');
    expect(limited).toContain('limit_conn perlstack_connections 9;');
  });

  it.each<[string, string, string, TlsFiles | null, string]>([
    ['TLS without a name', '{}', '{ tls: { files: true } }', TLS, 'set app.domains'],
    [
      'TLS without a certificate',
      '{ domains: [a.test] }',
      '{ tls: { files: true } }',
      null,
      'no certificate',
    ],
    ['HSTS without TLS', '{ domains: [a.test] }', '{ tls: { hsts: 1d } }', TLS, 'HSTS needs HTTPS'],
  ])('refuses %s', (_what, app, web, tls, message) => {
    const attempt = () => render(stackOf(app, web), { stack: 'shop', hosts: HOSTS }, tls ? { tls } : {});
    expect(attempt).toThrow(UserError);
    expect(attempt).toThrow(message);
  });
});

describe('weightsOf', () => {
  it.each([
    [[8], [1]],
    [
      [6, 6, 6],
      [1, 1, 1],
    ],
    [
      [8, 16, 32],
      [1, 2, 4],
    ],
    [
      [32, 5],
      [32, 5],
    ],
  ])('%p workers: %p', (workers, weights) => expect(weightsOf(workers)).toEqual(weights));
});

describe('nginxSize', () => {
  it.each([
    [20, '20m'],
    [1_024, '1024m'],
    [0.5, '512k'],
    [1 / 1_024, '1k'],
  ])('%p MiB is %s', (mebibytes, text) => expect(nginxSize(mebibytes)).toBe(text));
});
