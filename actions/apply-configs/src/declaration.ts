import { commonInputs, declare, hostInputs, stackInputs } from '@perlstack/action';

export const declaration = declare({
  inputs: {
    ...stackInputs,
    ...hostInputs,
    mode: { kind: 'choice', options: ['plan', 'apply'], default: 'plan' },
    'app-secrets': { kind: 'multiline', secret: true },
    timeout: { kind: 'duration', default: '2m' },
    ...commonInputs,
  },
  outputs: { changed: {}, plan: {} },
});
