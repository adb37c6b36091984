import { commonInputs, declare, hostInputs, stackInputs, storageInputs } from '@perlstack/action';

export const declaration = declare({
  inputs: {
    ...stackInputs,
    ...hostInputs,
    mode: { kind: 'choice', options: ['plan', 'backup', 'verify', 'probe'], default: 'backup' },
    engine: { kind: 'choice', options: ['auto', 'pg_dump'], default: 'auto' },
    ...storageInputs,
    'age-recipient': { kind: 'string' },
    source: { kind: 'string', default: 'auto' },
    'full-every': { kind: 'integer', min: 1, max: 100, default: '1' },
    'max-rate': { kind: 'integer', min: 0, max: 100_000, default: '0' },
    'keep-minimum': { kind: 'integer', min: 1, max: 1_000, default: '2' },
    'archive-timeout': { kind: 'duration', default: '3m' },
    databases: { kind: 'multiline' },
    server: { kind: 'string' },
    'server-password': { kind: 'string', secret: true },
    'server-ca': { kind: 'string' },
    via: { kind: 'string' },
    ...commonInputs,
  },
  outputs: {
    backup: { optional: true },
    bytes: { optional: true },
    source: { optional: true },
    'tickets-until': { optional: true },
    metrics: { optional: true },
    removed: { optional: true },
    probe: { optional: true },
  },
});
