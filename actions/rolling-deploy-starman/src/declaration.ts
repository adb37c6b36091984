import { commonInputs, declare, hostInputs, stackInputs } from '@perlstack/action';

export const declaration = declare({
  inputs: {
    ...stackInputs,
    ...hostInputs,
    mode: { kind: 'choice', options: ['plan', 'apply', 'rollback', 'repair'], default: 'apply' },
    artifact: { kind: 'path', exists: 'file' },
    sha256: { kind: 'string', pattern: /[0-9a-f]{64}/, expected: '64 hexadecimal digits' },
    release: {
      kind: 'string',
      default: '${{ github.sha }}',
      pattern: /[a-z0-9][a-z0-9._-]{0,62}/,
      expected:
        'up to 63 small letters, digits, dots, dashes and underscores, starting with a letter or digit',
    },
    to: { kind: 'string', pattern: /[a-z0-9][a-z0-9._-]{0,62}/, expected: 'the id of a release' },
    strategy: { kind: 'choice', options: ['socket', 'drain'], default: 'socket' },
    batch: { kind: 'string', default: '1' },
    canary: { kind: 'integer', min: 0, max: 250, default: '0' },
    bake: { kind: 'duration', default: '2m' },
    'canary-slowdown': {
      kind: 'string',
      default: '15%',
      pattern: /[1-9]\d{0,2}%/,
      expected: 'a share such as 15%',
    },
    'capacity-floor': {
      kind: 'string',
      default: '50%',
      pattern: /(100|[1-9]?\d)%/,
      expected: 'a share such as 50%',
    },
    'max-failures': { kind: 'integer', min: 0, max: 250, default: '0' },
    'lock-wait': { kind: 'duration', default: '0s' },
    'allow-older': { kind: 'boolean', default: 'false' },
    timeout: { kind: 'duration', default: '30m' },
    'github-token': { kind: 'string', secret: true },
    environment: { kind: 'string' },
    'environment-url': {
      kind: 'string',
      pattern: /https?:\/\/\S+/,
      expected: 'a URL that begins with https://',
    },
    ...commonInputs,
  },
  outputs: { release: {}, previous: {}, outcome: {}, servers: {}, result: {} },
});
