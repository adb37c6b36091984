import { redisWord } from '@perlstack/configs';
import { UserError } from '@perlstack/stack';

/** What a restored Redis is asked: a command that only reads, and what its answer has to be. */
export interface RedisAssertion {
  /** As the user wrote it. */
  readonly text: string;
  readonly database: string;
  /** A line for redis-cli. */
  readonly command: string;
  readonly wanted: Wanted;
}

export interface Wanted {
  readonly operator: Operator;
  readonly value: string;
}

type Operator = '=' | '>=' | '<=' | '>' | '<';

/** Commands that may be asked: how many words follow, and whether they answer with a number. */
const READING: Readonly<Record<string, { readonly words: number; readonly counts: boolean }>> = {
  DBSIZE: { words: 0, counts: true },
  EXISTS: { words: 1, counts: true },
  GET: { words: 1, counts: false },
  HEXISTS: { words: 2, counts: true },
  HGET: { words: 2, counts: false },
  HLEN: { words: 1, counts: true },
  LINDEX: { words: 2, counts: false },
  LLEN: { words: 1, counts: true },
  SCARD: { words: 1, counts: true },
  SISMEMBER: { words: 2, counts: true },
  STRLEN: { words: 1, counts: true },
  TYPE: { words: 1, counts: false },
  XLEN: { words: 1, counts: true },
  ZCARD: { words: 1, counts: true },
  ZSCORE: { words: 2, counts: false },
};

const EXAMPLE = 'such as "0: GET config:version = 42" or "0: EXISTS session:1"';

/** @throws UserError naming the line, and what is wrong with it */
export function redisAssertionFrom(text: string): RedisAssertion {
  const fail = (why: string): never => {
    throw new UserError(`Input "assertions": ${JSON.stringify(text)} ${why}, ${EXAMPLE}`);
  };
  const [, database, rest = ''] = /^(\d{1,2}):\s+(\S.*?)\s*$/.exec(text) ?? [];
  if (database === undefined) return fail('is not "DATABASE: COMMAND …"');
  const [, asked = '', operator, value = ''] = /^(.*?)(?:\s(=|>=|<=|>|<)\s+(\S.*))?$/.exec(rest) ?? [];
  const words = [...asked.matchAll(/"((?:[^"\\]|\\.)*)"|\S+/g)].map(([all, quoted]) => quoted ?? all);
  const name = words[0]?.toUpperCase() ?? '';
  const known = Object.hasOwn(READING, name) ? READING[name] : undefined;
  if (!known) return fail(`asks for ${name}, and a drill takes ${Object.keys(READING).join(', ')} alone`);
  if (words.length !== known.words + 1)
    return fail(`gives ${name} ${words.length - 1} words, and it takes ${known.words}`);
  if (operator === undefined && !known.counts)
    return fail(`does not say what ${name} has to answer: add "= VALUE"`);
  if (operator !== undefined && operator !== '=' && !known.counts)
    return fail(`compares what ${name} answers, which is no number: use "="`);
  if (operator !== undefined && known.counts && !NUMBER.test(value))
    return fail(`compares what ${name} answers, a number, with ${JSON.stringify(value)}`);
  const command = [name, ...words.slice(1).map((word) => redisWord(word, 'a word'))].join(' ');
  const wanted = operator === undefined ? PRESENT : { operator: operator as Operator, value };
  return { text, database, command, wanted };
}

const NUMBER = /^-?\d+$/;
const PRESENT: Wanted = { operator: '>', value: '0' };

/** @returns what is wrong with an answer; `null`: nothing */
export function faultOfAnswer({ text, wanted }: RedisAssertion, answer: string): string | null {
  if (holds(wanted, answer)) return null;
  const said = answer === '' ? 'nothing' : answer.slice(0, 200);
  const asked = wanted.operator === '=' ? wanted.value : `${wanted.operator} ${wanted.value}`;
  return `${text}: the answer is ${said}, not ${asked}`;
}

function holds({ operator, value }: Wanted, answer: string): boolean {
  if (operator === '=') return answer === value;
  if (!NUMBER.test(answer)) return false;
  const [found, wanted] = [Number(answer), Number(value)];
  switch (operator) {
    case '>=':
      return found >= wanted;
    case '<=':
      return found <= wanted;
    case '>':
      return found > wanted;
    case '<':
      return found < wanted;
  }
}
