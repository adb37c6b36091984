import { commonInputs, declare, hostInputs, stackInputs } from '@perlstack/action';

export const declaration = declare({
  inputs: {
    ...stackInputs,
    inventory: hostInputs.inventory,
    output: { kind: 'path', default: 'rendered' },
    ...commonInputs,
  },
  outputs: { digest: {}, path: {}, files: {} },
});
