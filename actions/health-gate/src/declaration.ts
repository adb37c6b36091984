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
      pattern: /([1-5]xx|[1-5]\d\d)(\s*,\s*([1-5]xx|[1-5]\d\d))*/,
      expected: 'status codes such as 200,204, or classes of them such as 2xx,3xx',
    },
    contains: { kind: 'string' },
    headers: { kind: 'multiline', secret: true },
    'basic-auth': {
      kind: 'string',
      secret: true,
      pattern: /[^:\r\n]+:[^\r\n]*/,
      expected: 'of the form login:password',
    },
    ca: { kind: 'string' },
    'follow-redirects': { kind: 'integer', min: 0, max: 20, default: '0' },
    latency: { kind: 'duration', default: '5s' },
    successes: { kind: 'integer', min: 1, max: 1_000, default: '3' },
    hold: { kind: 'duration', default: '0s' },
    interval: { kind: 'duration', default: '1s' },
    'try-timeout': { kind: 'duration', default: '5s' },
    timeout: { kind: 'duration', default: '60s' },
    'max-tries': { kind: 'integer', min: 0, max: 1_000_000, default: '0' },
    ...commonInputs,
  },
  outputs: { passed: {}, verdict: {} },
});
