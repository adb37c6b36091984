import { describe, expect, it } from '@jest/globals';
import { printPgbackrest } from './pgbackrest.js';

describe('printPgbackrest', () => {
  it('writes sections of settings', () =>
    expect(
      printPgbackrest('A heading', [
        { name: 'global', settings: [['repo1-bundle', true]] },
        {
          name: 'shop',
          settings: [
            ['pg1-port', 5_432],
            ['repo1-cipher-pass', 'a = "b" # c'],
          ],
        },
      ]),
    ).toBe(
      '# A heading\n\n[global]\nrepo1-bundle=y\n\n[shop]\npg1-port=5432\nrepo1-cipher-pass=a = "b" # c\n',
    ));
  it.each(['', ' secret', 'secret ', 'sec\nret', 'sec\0ret', 'sec\ud800'])(
    'refuses %j without repeating it',
    (value) => {
      const print = (): string =>
        printPgbackrest('', [{ name: 'global', settings: [['repo1-cipher-pass', value]] }]);
      expect(print).toThrow(/^pgbackrest: the value of repo1-cipher-pass is empty/);
      expect(print).not.toThrow(/sec/);
    },
  );
  it('refuses a name that is none', () =>
    expect(() => printPgbackrest('', [{ name: 'global', settings: [['a=b', 1]] }])).toThrow(
      '"a=b" is no name of a setting',
    ));
});
