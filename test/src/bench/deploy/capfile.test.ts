import { describe, expect, it } from '@jest/globals';
import { capistranoProject, ruby } from './capfile.js';
import { ROLLOUT } from './rollout.testkit.js';

describe('capistranoProject', () => {
  const project = capistranoProject(ROLLOUT);

  it('has the servers with their roles, and the way to them', () => {
    const production = project['config/deploy/production.rb'];
    expect(production).toContain("server '203.0.113.1', port: 2222, roles: %w[web], no_release: true\n");
    expect(production).toContain(
      "server '10.10.1.3', roles: %w[app], upstream: '10.10.1.3:5000', ssh_options: { proxy: door }\n",
    );
  });

  it('restarts within its own flow, with a drain before and a gate after', () => {
    const deploy = project['config/deploy.rb'] ?? '';
    const order = ['down;/', 'phase drain', 'phase boot', 'phase gate', "down;$/;/'"];
    const places = order.map((part) => deploy.indexOf(part));
    expect(places).toEqual([...places].sort((a, b) => a - b));
    expect(places).not.toContain(-1);
    expect(deploy).toContain("before 'deploy:publishing', 'deploy:compile'");
    expect(deploy).toContain("after 'deploy:publishing', 'deploy:restart'");
  });

  it('quotes what is put into it', () => {
    expect(project['config/deploy.rb']).toContain(String.raw`set :archive, '/tmp/it\'s.tar.gz'`);
    expect(ruby(String.raw`a\b'c`)).toBe(String.raw`'a\\b\'c'`);
  });
});
