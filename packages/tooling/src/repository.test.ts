import { describe, expect, it } from '@jest/globals';
import { chosenActions } from './repository.js';

describe('chosenActions', () => {
  it('takes all without a name', () => {
    expect(chosenActions([], ['a', 'b'])).toEqual(['a', 'b']);
  });

  it('takes those that are named', () => {
    expect(chosenActions(['b'], ['a', 'b'])).toEqual(['b']);
  });

  it('refuses a name that there is not', () => {
    expect(() => chosenActions(['c'], ['a', 'b'])).toThrow('there is no action "c": one of a, b');
  });
});
