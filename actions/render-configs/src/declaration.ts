import { commonInputs, declare, hostInputs, stackInputs } from '@perlstack/action';

export const declaration = declare({
  inputs: {
    ...stackInputs,
    inventory: hostInputs.inventory,
    base: { kind: 'string' },
    'base-inventory': { kind: 'string' },
    'github-token': { kind: 'string', secret: true },
    output: { kind: 'path', default: 'rendered' },
    ...commonInputs,
  },
  outputs: { digest: {}, path: {}, files: {}, changed: { optional: true }, diff: { optional: true } },
});
