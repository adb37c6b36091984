import { commonInputs, declare } from '@perlstack/action';

export const declaration = declare({
  inputs: {
    urls: { kind: 'multiline' },
    tcp: { kind: 'multiline' },
    status: {
      kind: 'string',
      default: '200',
      pattern: /\d{3}(\s*,\s*\d{3})*/,
      expected: 'status codes such as 200,204',
    },
    contains: { kind: 'string' },
    headers: { kind: 'multiline', secret: true },
    latency: { kind: 'duration', default: '5s' },
    successes: { kind: 'integer', min: 1, max: 1_000, default: '3' },
    interval: { kind: 'duration', default: '1s' },
    'try-timeout': { kind: 'duration', default: '5s' },
    timeout: { kind: 'duration', default: '60s' },
    ...commonInputs,
  },
  outputs: { passed: {}, verdict: {} },
});
