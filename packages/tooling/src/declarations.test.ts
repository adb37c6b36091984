import { readFileSync } from 'node:fs';
import { compareWithActionYml, type Declaration } from '@perlstack/action';
import { describe, expect, it } from '@jest/globals';
import { actionNames, inRoot } from './repository.js';

describe.each(actionNames())('%s', (name) => {
  it('shares every input and output between its code and its action.yml', async () => {
    const { declaration } = (await import(inRoot('actions', name, 'src', 'declaration.ts'))) as {
      declaration: Declaration;
    };
    const actionYml = readFileSync(inRoot('actions', name, 'action.yml'), 'utf8');
    expect(compareWithActionYml(declaration, actionYml)).toEqual([]);
  });
});
