import { describe, expect, it } from '@jest/globals';
import { UserError } from './errors.js';
import { parseStack, stackJsonSchema } from './parse.js';

const SMALL = 'stack: shop\nregion: us-ord\napp: {}\n';

const FULL = `
stack: shop
region: us-ord
image: linode/debian13
network:
  vpc: 10.10.0.0/16
  public: [web]
app:
  name: shop
  psgi: app.psgi
  domains: [shop.example.com]
  workers: auto
  health: { path: /healthz, status: 200, body: ok, latency: 500ms, successes: 3, timeout: 60s }
  static: { root: public, paths: [/images, /css, /js, /assets], expires: 30d }
  env: { PLACK_ENV: deployment }
  secrets: [SESSION_KEY]
  build: { with: carton, on: host }
  hooks: { migrate: bin/migrate up }
tiers:
  web:      { type: g6-nanode-1, count: 2, entry: nodebalancer, tls: { files: true } }
  app:      { type: g6-standard-2, count: 3, autoscale: { min: 2, max: 8, target: 0.65 } }
  database: { type: g6-dedicated-4, count: 2, version: 17, durability: async, failover: manual }
  cache:    { type: g6-nanode-1, count: 3, failover: sentinel, persistence: aof }
  monitor:  { type: g6-nanode-1, count: 1, alerts: { email: ops@example.com } }
backups:
  bucket: shop-backups
  keep: { daily: 7, weekly: 4, monthly: 6 }
  pitr: 7d
  encrypt: true
budget: { monthly: 250 }
`;

function errorOf(text: string): UserError {
  try {
    parseStack(text, 'perlstack.yml');
  } catch (error) {
    if (error instanceof UserError) return error;
    throw error;
  }
  throw new Error('the stack file was accepted');
}

describe('parseStack', () => {
  it('fills a small stack with defaults', () => {
    const { stack } = parseStack(SMALL, 'perlstack.yml');
    expect(stack.app).toMatchObject({
      name: 'shop',
      psgi: 'app.psgi',
      workers: 'auto',
      drainTimeout: 30_000,
    });
    expect(stack.tiers.web).toMatchObject({ count: 2, entry: 'dns' });
    expect(stack.tiers.database).toBeUndefined();
    expect(stack.network).toEqual({ vpc: '10.10.0.0/16', public: ['web'], ssh: ['0.0.0.0/0'] });
  });

  it('accepts a stack that uses everything', () => {
    const { stack } = parseStack(FULL, 'perlstack.yml');
    expect(stack.app.health).toMatchObject({ latency: 500, timeout: 60_000, body: 'ok' });
    expect(stack.backups?.pitr).toBe(7 * 86_400_000);
    expect(stack.tiers.app.autoscale).toEqual({ min: 2, max: 8, target: 0.65 });
  });

  it('knows where each value stands', () => {
    const file = parseStack(FULL, 'perlstack.yml');
    expect(file.locate(['tiers', 'app', 'type'])).toEqual({ file: 'perlstack.yml', line: 21, column: 21 });
    expect(file.locate(['tiers', 'app', 'nothing', 'here'])).toMatchObject({ line: 21 });
  });

  it.each([
    [
      'an unknown key',
      `${SMALL}bugdet: { monthly: 1 }\n`,
      'perlstack.yml:4:1 bugdet: unknown key; did you mean "budget"? Nothing was changed.',
    ],
    [
      'an unknown nested key',
      'stack: shop\nregion: us-ord\napp:\n  helth: {}\n',
      'perlstack.yml:4:3 app.helth: unknown key; did you mean "health"? Nothing was changed.',
    ],
    [
      'a key like no other',
      `${SMALL}zzzzzzzzzzzz: 1\n`,
      'perlstack.yml:4:1 zzzzzzzzzzzz: unknown key; allowed: stack, region, image, network, app, tiers, backups, budget. Nothing was changed.',
    ],
    [
      'an unknown tier',
      `${SMALL}tiers:\n  databse: { count: 2 }\n`,
      'perlstack.yml:5:3 tiers.databse: unknown tier; did you mean "database"? Nothing was changed.',
    ],
    ['a missing key', 'stack: shop\napp: {}\n', 'perlstack.yml:1:1 region: is missing. Nothing was changed.'],
    [
      'a word out of a list',
      `${SMALL}image: linode/debian10\n`,
      'perlstack.yml:4:8 image: found "linode/debian10"; allowed: linode/debian13, linode/debian12, linode/ubuntu24.04. Nothing was changed.',
    ],
    [
      'a duration without a unit',
      'stack: shop\nregion: us-ord\napp: { health: { timeout: "60" } }\n',
      'perlstack.yml:3:27 app.health.timeout: found "60"; must be a whole number and ms, s, m, h or d, such as 30s. Nothing was changed.',
    ],
    [
      'a public network',
      `${SMALL}network: { vpc: 8.8.0.0/16 }\n`,
      'perlstack.yml:4:17 network.vpc: found "8.8.0.0/16"; must be a network inside 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16. Nothing was changed.',
    ],
    [
      'a path that leaves the release',
      'stack: shop\nregion: us-ord\napp: { psgi: ../app.psgi }\n',
      'perlstack.yml:3:14 app.psgi: found "../app.psgi"; must be a path that stays in its folder. Nothing was changed.',
    ],
  ])('says what is wrong with %s', (_what, text, message) => {
    expect(errorOf(text).message).toBe(message);
  });

  it('names line and column of broken YAML', () => {
    const error = errorOf('stack: shop\nregion: [us-ord\napp: {}\n');
    expect(error.message).toMatch(/^perlstack\.yml:\d:\d+ this is no valid YAML: .*Nothing was changed\.$/);
    expect(error.location).toMatchObject({ file: 'perlstack.yml' });
  });

  it.each(['; rm -rf /', "a'b", 'x\ny', '$(id)', '{"a":1}'])(
    'refuses %j wherever it could reach a configuration',
    (nasty) => {
      const text = JSON.stringify({ stack: 'shop', region: 'us-ord', app: { psgi: nasty } });
      expect(errorOf(text).message).toContain('app.psgi');
    },
  );
});

describe('stackJsonSchema', () => {
  it('describes what the user writes, durations as text', () => {
    const schema = stackJsonSchema() as {
      properties: { app: { properties: { drainTimeout: unknown } } };
      required: string[];
    };
    expect(schema.required).toEqual(['stack', 'region', 'app']);
    expect(schema.properties.app.properties.drainTimeout).toMatchObject({ type: 'string' });
  });
});
