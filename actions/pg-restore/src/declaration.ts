import { commonInputs, declare, hostInputs, stackInputs, storageInputs } from '@perlstack/action';

export const declaration = declare({
  inputs: {
    ...stackInputs,
    ...hostInputs,
    mode: { kind: 'choice', options: ['plan', 'drill', 'primary', 'replica'], default: 'drill' },
    engine: { kind: 'choice', options: ['auto', 'pg_dump'], default: 'auto' },
    ...storageInputs,
    'age-identity': {
      kind: 'string',
      secret: true,
      pattern: /AGE-SECRET-KEY-1[0-9A-Z]{58}/,
      expected: 'a private key of age (AGE-SECRET-KEY-1…, one line)',
    },
    host: { kind: 'string' },
    backup: {
      kind: 'string',
      pattern: /\d{8}T\d{6}Z|\d{8}-\d{6}F(_\d{8}-\d{6}[DI])?/,
      expected: 'an id such as 20261127T020000Z, or 20261127-020000F of pgBackRest',
    },
    target: { kind: 'string', default: 'proof' },
    assertions: { kind: 'multiline' },
    replace: { kind: 'string' },
    delta: { kind: 'boolean', default: 'false' },
    databases: { kind: 'multiline' },
    server: { kind: 'string' },
    'from-stack': { kind: 'string' },
    timeout: { kind: 'duration', default: '1h' },
    ...commonInputs,
  },
  outputs: { backup: {}, report: { optional: true }, faults: { optional: true } },
});
