import { describe, expect, it } from '@jest/globals';
import { UserError, type Inventory } from '@perlstack/stack';
import type { ConfigBundle } from './bundle.js';
import { exampleHost, exampleStack, FULL_EXAMPLE, SMALL_EXAMPLE } from './examples.js';
import { render } from './render.js';

const { stack, inventory } = SMALL_EXAMPLE;

const stackWith = (app: string) => exampleStack(`stack: shop\nregion: us-ord\napp: ${app}\n`);
const full = () => render(FULL_EXAMPLE.stack, FULL_EXAMPLE.inventory, FULL_EXAMPLE);

function contentOf(bundle: ConfigBundle, host: string, path: string): string {
  const services = bundle.hosts.find((entry) => entry.host === host)?.services ?? [];
  const file = services.flatMap(({ files }) => files).find((entry) => entry.path === path);
  if (!file) throw new Error(`${host} has no ${path}`);
  return file.content;
}

describe('render', () => {
  it('gives the same bundle for the same input', () => {
    expect(full()).toEqual(full());
  });

  it('puts secrets into their file and nowhere else', () => {
    const bundle = full();
    const files = bundle.hosts.flatMap(({ services }) => services.flatMap((service) => service.files));
    const holding = files.filter(({ content }) => content.includes('geheim'));
    expect(new Set(holding.map(({ path }) => path))).toEqual(new Set(['/etc/web-shop/env']));
    expect(holding.every(({ secret, mode, owner }) => secret && mode === 0o600 && owner === 'root')).toBe(
      true,
    );
    expect(JSON.stringify(bundle)).not.toContain('not asked for');
  });

  it('has every host of the inventory, and says what it leaves out', () => {
    const bundle = full();
    expect(bundle.hosts.map(({ host }) => host)).toEqual(
      FULL_EXAMPLE.inventory.hosts.map(({ name }) => name),
    );
    expect(bundle.notes).toEqual(
      expect.arrayContaining([
        'monitor: its servers are provisioned; this version does not configure them',
        'app: the memory of app-2 is not known: 5 workers each; set app.workers to choose',
      ]),
    );
  });

  it('gives every file and folder an absolute path, and every staged root its files', () => {
    for (const { services } of full().hosts) {
      for (const { files, directories, removes, roots } of services) {
        const paths = [...files, ...directories].map(({ path }) => path).concat(removes, roots);
        expect(paths.filter((path) => !/^\/[a-z]/.test(path))).toEqual([]);
        expect(roots.filter((root) => !files.some(({ path }) => path.startsWith(`${root}/`)))).toEqual([]);
      }
    }
  });

  it.each<[string, string[], Inventory, string]>([
    ['a secret without a value', ['{ secrets: [TOKEN] }'], inventory, 'TOKEN, but it has no value'],
    ['a secret that is named like a method', ['{ secrets: [CONSTRUCTOR] }'], inventory, 'CONSTRUCTOR'],
    ['a variable of our own', ['{ env: { RELEASE: x } }'], inventory, 'RELEASE itself'],
    ['a variable in two places', ['{ env: { A: x }, secrets: [A] }'], inventory, 'A stands in both'],
    ['another stack', ['{}'], { ...inventory, stack: 'other' }, 'the stack other'],
    ['no app host', ['{}'], { stack: 'shop', hosts: [exampleHost('web-1', '10.0.0.1')] }, 'no app host'],
    [
      'no private address',
      ['{}'],
      { stack: 'shop', hosts: [exampleHost('web-1', '10.0.0.1'), exampleHost('app-1', null)] },
      'app-1 has no private address',
    ],
  ])('refuses %s', (_what, [app], hosts, message) => {
    const attempt = () => render(stackWith(app ?? ''), hosts, { secrets: { A: 'x' } });
    expect(attempt).toThrow(UserError);
    expect(attempt).toThrow(message);
  });

  it('has the web tier wait longer than the app host, and systemd longer than any request', () => {
    const bundle = full();
    const seconds = (text: string, pattern: RegExp) => Number(pattern.exec(text)?.[1]);
    const web = seconds(
      contentOf(bundle, 'web-1', '/etc/nginx/conf.d/web-shop.conf'),
      /proxy_read_timeout (\d+)s/,
    );
    const app = seconds(
      contentOf(bundle, 'app-1', '/etc/nginx/conf.d/web-shop.conf'),
      /proxy_read_timeout (\d+)s/,
    );
    const unit = contentOf(bundle, 'app-1', '/etc/systemd/system/web-shop@.service');
    expect(app).toBe(90);
    expect(web).toBeGreaterThan(app);
    expect(seconds(unit, /TimeoutStopSec=(\d+)/)).toBeGreaterThan(web);
  });

  it('never lets nginx repeat what can not be repeated', () => {
    for (const { services } of full().hosts) {
      for (const { content } of services.flatMap(({ files }) => files)) {
        expect(content).not.toContain('non_idempotent');
      }
    }
  });

  it('serves all paths as files where the stack file says /', () => {
    const site = contentOf(
      render(stackWith('{ static: { paths: [/] } }'), inventory),
      'app-1',
      '/etc/nginx/conf.d/shop.conf',
    );
    expect(site.match(/location \//g)).toHaveLength(1);
  });

  it('renders a thousand hosts', () => {
    const hosts = Array.from({ length: 1_000 }, (_, at) =>
      exampleHost(`${at < 100 ? 'web' : 'app'}-${at}`, `10.10.${at >> 8}.${at & 255}`),
    );
    const started = performance.now();
    const bundle = render(stack, { stack: 'shop', hosts });
    process.stdout.write(`1,000 hosts rendered in ${Math.round(performance.now() - started)} ms\n`);
    expect(bundle.hosts).toHaveLength(1_000);
    expect(
      contentOf(bundle, 'web-7', '/etc/nginx/conf.d/shop.conf').match(/^ +server .*:5000 /gm),
    ).toHaveLength(900);
  });
});
