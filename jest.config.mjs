// Native ESM mode: sources are TypeScript, transformed by swc; workspace packages resolve to their sources,
// so that a test never runs against a stale build.
const common = {
  rootDir: import.meta.dirname,
  testEnvironment: 'node',
  extensionsToTreatAsEsm: ['.ts'],
  transform: {
    '/@actions/(?:workflow-parser|languageservice)/dist/.+\\.js$':
      '<rootDir>/packages/tooling/json-imports.mjs',
    '^.+\\.ts$': [
      '@swc/jest',
      { jsc: { target: 'es2023', parser: { syntax: 'typescript' } }, module: { type: 'es6' } },
    ],
  },
  transformIgnorePatterns: ['/node_modules/(?!.*@actions/(?:workflow-parser|languageservice)/dist/)'],
  moduleNameMapper: {
    '^(\\.{1,2}/.*)\\.js$': '$1',
    '^@perlstack/([a-z-]+)$': '<rootDir>/packages/$1/src/index.ts',
    // Its ESM build imports JSON and prints a warning for each file.
    '^@linode/api-v4$': '<rootDir>/packages/linode/node_modules/@linode/api-v4/lib/index.cjs',
  },
};

export default {
  projects: [
    { ...common, displayName: 'unit', testMatch: ['<rootDir>/{packages,actions}/*/src/**/*.test.ts'] },
    {
      ...common,
      displayName: 'end-to-end',
      testMatch: ['<rootDir>/test/src/**/*.test.ts'],
    },
  ],
};
