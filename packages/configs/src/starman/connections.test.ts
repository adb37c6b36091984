import { describe, expect, it } from '@jest/globals';
import { UserError } from '@perlstack/stack';
import type { ConfigBundle } from '../bundle.js';
import { DEBIAN_13_EXAMPLE, exampleHost, exampleStack, FULL_EXAMPLE, UBUNTU_EXAMPLE } from '../examples.js';
import { render } from '../render.js';

const fileOf = (bundle: ConfigBundle, path: string) => {
  const services = bundle.hosts.find(({ host }) => host === 'app-1')?.services ?? [];
  return services.flatMap(({ files }) => files).find((file) => file.path === path);
};
const full = render(FULL_EXAMPLE.stack, FULL_EXAMPLE.inventory, FULL_EXAMPLE);

describe('what the application knows of the stack', () => {
  it('has passwords where root alone can read them', () => {
    const file = fileOf(full, '/etc/web-shop/env');
    expect(file).toMatchObject({ owner: 'root', mode: 0o600, secret: true });
    expect(file?.content.split('\n').map((line) => line.split('=')[0])).toEqual(
      expect.arrayContaining(['SESSION_KEY', 'DATABASE_PASSWORD', 'PGPASSWORD', 'REDIS_PASSWORD']),
    );
    expect(file?.content).not.toContain('REPLICATION_PASSWORD');
    expect(file?.content).not.toContain('heimlich');
  });

  it('names all database hosts to libpq, which takes the one that can be written to', () => {
    const file = fileOf(full, '/etc/web-shop/pg_service.conf');
    expect(file).toMatchObject({ mode: 0o644, secret: false });
    expect(file?.content).toContain('\n[web-shop]\nhost=10.10.2.2,10.10.2.3\nport=5432\ndbname=web_shop\n');
    expect(file?.content).toContain('\ntarget_session_attrs=read-write\n');
    expect(file?.content).not.toContain('password');
  });

  it.each([
    [FULL_EXAMPLE, 'REDIS_SENTINELS=10.10.3.2:26379,10.10.3.3:26379,10.10.3.4:26379\n', 'REDIS_SERVER'],
    [DEBIAN_13_EXAMPLE, 'REDIS_SERVICE=shop\n', 'REDIS_SERVER'],
    [UBUNTU_EXAMPLE, 'REDIS_SERVER=10.10.1.2:6379\n', 'REDIS_SENTINELS'],
  ])('names the Sentinels, or the primary where there are none (%#)', (example, there, not) => {
    const bundle = render(example.stack, example.inventory, example);
    const unit = fileOf(bundle, `/etc/systemd/system/${example.stack.app.name}@.service`);
    expect(unit?.content).toContain(`Environment=${there}`);
    expect(unit?.content).not.toContain(not);
  });

  const tiers = 'tiers: { database: {}, cache: {} }';
  it.each([
    ['{ env: { PGSERVICE: x } }', tiers, 'PGSERVICE itself'],
    ['{ env: { REDIS_PASSWORD: x } }', tiers, 'REDIS_PASSWORD itself'],
    ['{ secrets: [PGPASSWORD] }', tiers, 'PGPASSWORD itself'],
    ['{ env: { REDIS_SERVICE: x }, secrets: [A] }', tiers, 'REDIS_SERVICE itself'],
    ['{ env: { RELEASE: x } }', '', 'RELEASE itself'],
    ['{ units: 3, workers: 2 }', '', '3 units share 2 workers on app-1'],
  ])('refuses %s', (app, more, message) => {
    const secrets = { ...FULL_EXAMPLE.secrets, A: 'a', PGPASSWORD: 'p' };
    const stack = exampleStack(`stack: shop\nregion: us-ord\napp: ${app}\n${more}\n`);
    const attempt = () => render(stack, { stack: 'shop', hosts }, { secrets });
    expect(attempt).toThrow(UserError);
    expect(attempt).toThrow(message);
  });

  it.each([
    ['{ secrets: [REDIS_PASSWORD, DATABASE_PASSWORD] }', tiers],
    // Variables of ours only where there is something that they would name.
    ['{ env: { PGSERVICE: theirs, REDIS_SERVER: theirs } }', ''],
  ])('lets pass %s', (app, more) => {
    const stack = exampleStack(`stack: shop\nregion: us-ord\napp: ${app}\n${more}\n`);
    expect(render(stack, { stack: 'shop', hosts }, { secrets: FULL_EXAMPLE.secrets }).hosts).not.toEqual([]);
  });

  const hosts = [
    ...['web', 'app', 'database', 'cache'].map((tier, at) => exampleHost(`${tier}-1`, `10.10.${at}.2`)),
    ...['cache-2', 'cache-3'].map((name, at) => exampleHost(name, `10.10.3.${at + 3}`)),
  ];
});
