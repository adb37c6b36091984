import { commonInputs, declare, hostInputs, ownStorageInputs, stackInputs } from '@perlstack/action';

export const declaration = declare({
  inputs: {
    ...stackInputs,
    ...hostInputs,
    mode: { kind: 'choice', options: ['plan', 'drill', 'primary'], default: 'drill' },
    ...ownStorageInputs,
    'age-identity': {
      kind: 'string',
      secret: true,
      pattern: /AGE-SECRET-KEY-1[0-9A-Z]{58}/,
      expected: 'a private key of age (AGE-SECRET-KEY-1…, one line)',
    },
    host: { kind: 'string' },
    backup: { kind: 'string', pattern: /\d{8}T\d{6}Z/, expected: 'an id such as 20261127T020000Z' },
    assertions: { kind: 'multiline' },
    replace: { kind: 'string' },
    timeout: { kind: 'duration', default: '1h' },
    ...commonInputs,
  },
  outputs: { backup: {}, report: { optional: true }, faults: { optional: true } },
});
