import { describe, expect, it } from '@jest/globals';
import { type Inventory, InventorySchema, parseStack } from '@perlstack/stack';
import { consentFrom, secretsFor, tlsFor, unusedSecrets } from './given.js';

const file = parseStack(
  `stack: shop
region: us-ord
app: { domains: [shop.example.com], secrets: [SESSION_KEY, REDIS_PASSWORD] }
tiers:
  web: { tls: { files: true } }
  cache: { count: 3 }
`,
  'perlstack.yml',
);
const plain = parseStack('stack: shop\nregion: us-ord\napp: {}\n', 'perlstack.yml');
const given = (values: Record<string, string>) => new Map(Object.entries(values));

type Inputs = Parameters<typeof consentFrom>[0];
const inputs = (values: Partial<Inputs>): Inputs =>
  ({ 'allow-rebuild': [], 'allow-restart': false, drift: 'keep', ...values }) as Inputs;

describe('secretsFor', () => {
  it('gives what the stack needs, and nothing else', () => {
    const all = given({ SESSION_KEY: 'a', REDIS_PASSWORD: 'b', OTHER: 'c' });
    expect(secretsFor(file, all)).toEqual({ SESSION_KEY: 'a', REDIS_PASSWORD: 'b' });
    expect(unusedSecrets(file, all)).toEqual(['OTHER']);
  });
  it('asks for none where none is needed', () => expect(secretsFor(plain, given({}))).toEqual({}));
  it.each([
    ['SESSION_KEY', /^perlstack\.yml:3:\d+ app\.secrets: SESSION_KEY has no value/],
    ['REDIS_PASSWORD', /^perlstack\.yml:6:10 tiers\.cache: REDIS_PASSWORD has no value/],
  ])('points to where %s is asked for', (name, message) => {
    const values = { SESSION_KEY: 'a', REDIS_PASSWORD: 'b' };
    const rest = Object.fromEntries(Object.entries(values).filter(([other]) => other !== name));
    expect(() => secretsFor(file, given(rest))).toThrow(message);
  });
});

describe('tlsFor', () => {
  it('gives back the last line end, which an input loses', () =>
    expect(tlsFor(file, inputs({ 'tls-certificate': 'C', 'tls-private-key': 'K' }))).toEqual({
      certificate: 'C\n',
      privateKey: 'K\n',
    }));
  it('asks for nothing without tls.files', () => expect(tlsFor(plain, inputs({}))).toBeUndefined());
  it.each([
    [{}, /the inputs "tls-certificate" and "tls-private-key"/],
    [
      { 'tls-private-key': 'K' },
      /perlstack\.yml:5:24 tiers\.web\.tls\.files: .* the input "tls-certificate"\./,
    ],
  ])('names what is missing', (values, message) =>
    expect(() => tlsFor(file, inputs(values))).toThrow(message),
  );
});

describe('consentFrom', () => {
  const inventory: Inventory = InventorySchema.parse({
    stack: 'shop',
    hosts: ['database-1', 'database-2'].map((name) => ({
      ...{ name, tier: 'database', publicAddress: null, privateAddress: '10.10.0.2' },
      ssh: { address: '10.10.0.2', hostKeys: [`SHA256:${'A'.repeat(43)}`] },
    })),
  });
  it('is what the inputs say', () =>
    expect(consentFrom(inputs({ 'allow-rebuild': ['database-2'], drift: 'restore' }), inventory)).toEqual({
      restart: false,
      rebuild: ['database-2'],
      drift: 'restore',
    }));
  it('refuses a host that there is not', () =>
    expect(() => consentFrom(inputs({ 'allow-rebuild': ['database-3'] }), inventory)).toThrow(
      'Input "allow-rebuild": there is no host "database-3"; did you mean "database-1"?',
    ));
});
