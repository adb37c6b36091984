import { commonInputs, declare, hostInputs } from '@perlstack/action';

export const declaration = declare({
  inputs: {
    urls: { kind: 'multiline' },
    tcp: { kind: 'multiline' },
    probes: { kind: 'string' },
    inventory: { ...hostInputs.inventory, required: false },
    'ssh-private-key': { ...hostInputs['ssh-private-key'], required: false },
    need: {
      kind: 'string',
      default: 'all',
      pattern: /all|any|[1-9]\d{0,2}/,
      expected: 'all, any, or a number',
    },
    status: {
      kind: 'string',
      default: '200',
      pattern: /\d{3}(\s*,\s*\d{3})*/,
      expected: 'status codes such as 200,204',
    },
    contains: { kind: 'string' },
    headers: { kind: 'multiline', secret: true },
    'follow-redirects': { kind: 'integer', min: 0, max: 20, default: '0' },
    latency: { kind: 'duration', default: '5s' },
    successes: { kind: 'integer', min: 1, max: 1_000, default: '3' },
    hold: { kind: 'duration', default: '0s' },
    interval: { kind: 'duration', default: '1s' },
    'try-timeout': { kind: 'duration', default: '5s' },
    timeout: { kind: 'duration', default: '60s' },
    ...commonInputs,
  },
  outputs: { passed: {}, verdict: {} },
});
