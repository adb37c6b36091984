/** Pieces that mean something in one configuration language or another, and some that mean nothing. */
const PIECES = [
  ...['"', "'", '`', '\\', '\\\\', '\\"', '\\n', '\\x41', '\\101', '\\0', '\\u0041', '\\ '],
  ...['\n', '\r', '\r\n', '\t', '\v', '\f', '\0', '\u0001', '\u001b', '\u007f'],
  ...[
    ';',
    ';;',
    '}',
    '{',
    '{}',
    '#',
    ' #',
    '# ',
    '//',
    '/*',
    '*/',
    '--',
    '%',
    '%%',
    '%i',
    '%n',
    '%h',
    '%{x}',
  ],
  ...['$', '$$', '$host', '${host}', '$1', '$(id)', '$HOME', '${HOME}', '@', '@include', '!', '!!', '~', '^'],
  ...[
    ' ',
    '  ',
    '=',
    '==',
    ',',
    ':',
    '::',
    '.',
    '..',
    '/',
    '|',
    '||',
    '&',
    '&&',
    '<',
    '>',
    '<<',
    '?',
    '*',
    '+',
  ],
  ...[
    '(',
    ')',
    '[',
    ']',
    '-',
    '_',
    'on',
    'off',
    'yes',
    'ALL',
    'root',
    'default',
    'include',
    'a',
    'Z',
    '0',
    '42',
  ],
  ...['é', 'ß', '漢', '🐪', '\u0085', '\u00a0', '\u2028', '\ufeff', '\u202e', '\ud83d', '\udc2a'],
];

/** mulberry32: the same numbers from 0 to 1 for the same seed. */
function randomNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/**
 * Values that a careless printer gets wrong: every piece alone, at the start, at the end and in the middle, and random
 * mixtures. The same for the same seed; no value comes twice.
 */
export function nastyValues(seed: number, mixtures: number): string[] {
  const random = randomNumbers(seed);
  const pick = (): string => PIECES[Math.floor(random() * PIECES.length)] ?? '';
  const placed = PIECES.flatMap((piece) => [piece, `${piece}x`, `x${piece}`, `x${piece}y`]);
  const mixed = Array.from({ length: mixtures }, () =>
    Array.from({ length: 1 + Math.floor(random() * 8) }, pick).join(''),
  );
  return [...new Set(['', ...placed, ...mixed])];
}
