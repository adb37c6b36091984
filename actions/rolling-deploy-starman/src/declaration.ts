import { commonInputs, declare, hostInputs, stackInputs } from '@perlstack/action';

export const declaration = declare({
  inputs: {
    ...stackInputs,
    ...hostInputs,
    mode: { kind: 'choice', options: ['plan', 'apply'], default: 'apply' },
    artifact: { kind: 'path', required: true, exists: 'file' },
    sha256: { kind: 'string', pattern: /[0-9a-f]{64}/, expected: '64 hexadecimal digits' },
    release: {
      kind: 'string',
      default: '${{ github.sha }}',
      pattern: /[a-z0-9][a-z0-9._-]{0,62}/,
      expected:
        'up to 63 small letters, digits, dots, dashes and underscores, starting with a letter or digit',
    },
    strategy: { kind: 'choice', options: ['socket', 'drain'], default: 'socket' },
    timeout: { kind: 'duration', default: '30m' },
    ...commonInputs,
  },
  outputs: { release: {}, previous: {}, outcome: {}, servers: {}, result: {} },
});
