import { describe, expect, it } from '@jest/globals';
import { UserError } from '@perlstack/stack';
import { DIALECTS } from './all.testkit.js';
import { nastyValues } from './nasty.testkit.js';

// What the real programs make of the values is asked on hosts, in test/src/dialects.test.ts.
describe.each(DIALECTS.map((dialect) => [dialect.name, dialect] as const))('%s', (_name, dialect) => {
  const values = nastyValues(1, 3_000).filter((value) => !dialect.senseless?.(value));

  it('refuses what it has no way to write, as the mistake of the user that it is, and nothing else', () => {
    const refused = values.filter((value) => {
      try {
        dialect.trial([value]);
        return false;
      } catch (error) {
        expect(error).toBeInstanceOf(UserError);
        return true;
      }
    });
    expect(refused.filter((value) => !dialect.refusable(value))).toEqual([]);
    expect(values.length - refused.length).toBeGreaterThan(500);
  });
});
