import { describe, expect, it } from '@jest/globals';
import { parseStack } from '@perlstack/stack';
import { requireSupported } from './supported.js';

const stackWith = (app: object) =>
  parseStack(JSON.stringify({ stack: 'shop', region: 'us-ord', app }), 'perlstack.yml').stack;

describe('requireSupported', () => {
  it.each([{}, { build: { with: 'none' } }, { build: { with: 'carton', on: 'runner' } }])(
    'accepts %j',
    (app) => {
      expect(() => requireSupported(stackWith(app))).not.toThrow();
    },
  );

  it.each([
    [
      { build: { with: 'carton', on: 'host' } },
      /^app\.build: .*carton in a workflow.*Nothing was changed\.$/,
    ],
  ])('refuses %j', (app, message) => {
    expect(() => requireSupported(stackWith(app))).toThrow(message);
  });
});
