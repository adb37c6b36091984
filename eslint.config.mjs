import tseslint from 'typescript-eslint';

/** The floors of the house: a package imports only from floors below its own. */
const FLOORS = [
  ['stack', 'procedure'],
  ['remote', 'linode', 'object-storage'],
  ['configs', 'health', 'cost', 'scaling'],
  ['engine'],
  ['postgres', 'redis'],
  ['converge', 'release', 'provision', 'backup'],
  ['action'],
  ['backup-face'],
];
const EXTERNAL_SIDE_DOORS = ['local-cloud', 'tooling'];

const floorRules = FLOORS.flatMap((packages, floor) => {
  const above = [...FLOORS.slice(floor + 1).flat(), ...EXTERNAL_SIDE_DOORS];
  return packages.map((name) => ({
    files: [`packages/${name}/src/**/*.ts`],
    // Tests and what only they import may go where they like.
    ignores: ['**/*.test.ts', '**/*.testkit.ts'],
    rules: {
      'no-restricted-imports': [
        'error',
        {
          patterns: [
            {
              group: above.map((other) => `@perlstack/${other}`),
              message: `packages/${name} is on floor ${floor}: imports go down only (CONTRIBUTING.md).`,
            },
            { group: ['@perlstack/*/*'], message: 'Import a package by its front door.' },
          ],
        },
      ],
    },
  }));
});

export default tseslint.config(
  { ignores: ['**/dist/**', '**/lib/**', '**/node_modules/**', 'test/apps/**'] },
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.recommendedTypeChecked],
    // One program of all sources: by the projects that `tsc -b` compiles, each of them would read and check the sources
    // of those that it refers to again. They all have the same options.
    languageOptions: {
      parserOptions: { project: 'tsconfig.lint.json', tsconfigRootDir: import.meta.dirname },
    },
    rules: {
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true },
      ],
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/require-await': 'off',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        { allowNumber: true, allowBoolean: true },
      ],
    },
  },
  ...floorRules,
);
