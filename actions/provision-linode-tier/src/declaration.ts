import { commonInputs, declare, stackInputs } from '@perlstack/action';

export const declaration = declare({
  inputs: {
    ...stackInputs,
    mode: { kind: 'choice', options: ['plan', 'apply', 'destroy'], default: 'plan' },
    'linode-token': { kind: 'string', required: true, secret: true },
    'ssh-private-key': { kind: 'string', secret: true },
    'allow-delete': { kind: 'boolean', default: 'false' },
    timeout: { kind: 'duration', default: '15m' },
    ...commonInputs,
  },
  outputs: {
    inventory: {},
    'entry-addresses': {},
    plan: {},
    changed: {},
    'monthly-cost': {},
    'monthly-delta': {},
  },
});
