import { commonInputs, declare, hostInputs, ownStorageInputs, stackInputs } from '@perlstack/action';

export const declaration = declare({
  inputs: {
    ...stackInputs,
    ...hostInputs,
    mode: { kind: 'choice', options: ['plan', 'backup', 'verify'], default: 'backup' },
    ...ownStorageInputs,
    'age-recipient': { kind: 'string' },
    source: { kind: 'string', default: 'auto' },
    'max-rate': { kind: 'integer', min: 0, max: 100_000, default: '0' },
    'keep-minimum': { kind: 'integer', min: 1, max: 1_000, default: '2' },
    ...commonInputs,
  },
  outputs: {
    backup: { optional: true },
    bytes: { optional: true },
    source: { optional: true },
    metrics: { optional: true },
    removed: { optional: true },
    probe: { optional: true },
  },
});
