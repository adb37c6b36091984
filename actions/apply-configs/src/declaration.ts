import { commonInputs, declare, hostInputs, stackInputs } from '@perlstack/action';

export const declaration = declare({
  inputs: {
    ...stackInputs,
    ...hostInputs,
    mode: { kind: 'choice', options: ['plan', 'apply'], default: 'plan' },
    secrets: { kind: 'assignments', secret: true },
    'tls-certificate': { kind: 'string' },
    'tls-private-key': { kind: 'string', secret: true },
    drift: { kind: 'choice', options: ['keep', 'restore'], default: 'keep' },
    'allow-restart': { kind: 'boolean', default: 'false' },
    'allow-rebuild': { kind: 'multiline' },
    timeout: { kind: 'duration', default: '2m' },
    ...commonInputs,
  },
  outputs: { changed: {}, plan: {}, drift: {}, restarts: {} },
  renamed: { 'app-secrets': 'secrets' },
});
