import { describe, expect, it } from '@jest/globals';
import { replaceBetween } from './markers.js';

describe('replaceBetween', () => {
  const text = '# Title\n\n<!-- a:start -->\nold\n<!-- a:end -->\n\nRest\n';

  it('replaces only what stands between the markers', () => {
    expect(replaceBetween(text, 'a', 'new', 'README.md')).toBe(
      '# Title\n\n<!-- a:start -->\n\nnew\n\n<!-- a:end -->\n\nRest\n',
    );
  });

  it('gives the same again', () => {
    const once = replaceBetween(text, 'a', 'new', 'README.md');
    expect(replaceBetween(once, 'a', 'new', 'README.md')).toBe(once);
  });

  it.each([
    ['no marker', '# Title'],
    ['only a start', '<!-- a:start -->'],
    ['the end first', '<!-- a:end --><!-- a:start -->'],
    ['two pairs', `${text}${text}`],
    ['markers of another name', text.replaceAll('a:', 'b:')],
  ])('refuses %s', (_what, broken) => {
    expect(() => replaceBetween(broken, 'a', 'new', 'README.md')).toThrow(/^README\.md: .*a:start.*a:end/);
  });
});
