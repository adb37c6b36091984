import { describe, expect, it } from '@jest/globals';
import { faultIn } from './load-fault.js';

describe('faultIn', () => {
  const path = '/srv/shop/releases/r2/app.psgi';

  it.each<[string, string[], string | undefined]>([
    [
      'what perl says first',
      ["Can't locate Nowhere.pm in @INC at app.psgi line 3.", 'BEGIN failed at app.psgi line 3.'],
      "Can't locate Nowhere.pm in @INC at app.psgi line 3.",
    ],
    [
      'what Plack ends with, after warnings and a log',
      [
        'Name "Shop::x" used only once: possible typo at app.psgi line 16.',
        `[critical]: Error while loading ${path}: no database`,
        `Error while loading ${path}: no database at lib/Shop.pm line 4.`,
      ],
      'no database at lib/Shop.pm line 4.',
    ],
    [
      'the cause behind a colon',
      [`Error while loading ${path}: Cannot read etc/shop.pm:`, 'syntax error at etc/shop.pm line 9', 'more'],
      'Cannot read etc/shop.pm: syntax error at etc/shop.pm line 9',
    ],
    ['a colon with nothing behind it', ['refused:'], 'refused:'],
    ['silence', [], undefined],
  ])('gives %s', (_what, lines, fault) => {
    expect(faultIn(lines)).toBe(fault);
  });
});
