import { UserError } from '@perlstack/stack';
import { oneLine } from './refuse.js';

/** A keyword of sshd_config with its words; `null` is a blank line before a comment. */
export type SshdEntry = readonly [keyword: string, ...words: (string | number | boolean)[]];

const KEYWORD = /^[A-Za-z0-9]+$/;
/** sshd_config has quotes, but how they are read changed between versions: words that need some are refused. */
const WORD = /^[\w@%.:,*+/~^=-]+$/;

function printWord(keyword: string, word: string | number | boolean): string {
  const text = typeof word === 'boolean' ? (word ? 'yes' : 'no') : String(word);
  if (WORD.test(text)) return text;
  throw new UserError(
    `sshd: the value ${JSON.stringify(text)} of ${keyword} may only have letters, digits and @ % . : , * + / ~ ^ = _ -`,
  );
}

/**
 * The text of an sshd_config file.
 *
 * @param groups entries under a comment each
 * @throws UserError when a word can't be written
 */
export function printSshdConfig(
  heading: string,
  groups: readonly { readonly comment: string; readonly entries: readonly SshdEntry[] }[],
): string {
  const printed = groups.map(({ comment, entries }) => {
    const lines = entries.map(([keyword, ...words]) => {
      if (!KEYWORD.test(keyword)) throw new Error(`"${keyword}" is no keyword of sshd_config`);
      return `${[keyword, ...words.map((word) => printWord(keyword, word))].join(' ')}\n`;
    });
    return `\n# ${oneLine(comment, 'sshd')}\n${lines.join('')}`;
  });
  return `# ${oneLine(heading, 'sshd')}\n${printed.join('')}`;
}
