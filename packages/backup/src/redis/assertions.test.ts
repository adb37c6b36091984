import { describe, expect, it } from '@jest/globals';
import { faultOfAnswer, redisAssertionFrom } from './assertions.js';

describe('redisAssertionFrom', () => {
  it.each([
    ['0: GET config:version = 42', '0', 'GET "config:version"', '= 42'],
    ['0: get a = b = c', '0', 'GET "a"', '= b = c'],
    ['15: EXISTS session:1', '15', 'EXISTS "session:1"', '> 0'],
    ['0: HGET "a key" "x\\"y" = with blanks', '0', 'HGET "a key" "x\\\\\\"y"', '= with blanks'],
    ['3: DBSIZE >= 1000', '3', 'DBSIZE', '>= 1000'],
    ['0: GET a=b = 1', '0', 'GET "a=b"', '= 1'],
  ])('%s', (text, database, command, wanted) => {
    const assertion = redisAssertionFrom(text);
    expect(assertion).toMatchObject({ text, database, command });
    expect(`${assertion.wanted.operator} ${assertion.wanted.value}`).toBe(wanted);
  });

  it.each([
    ['EXISTS a', 'is not "DATABASE: COMMAND …"'],
    ['0: FLUSHALL', 'asks for FLUSHALL, and a drill takes DBSIZE, EXISTS'],
    ['0: SET a 1', 'asks for SET'],
    ['0: constructor a', 'asks for CONSTRUCTOR'],
    ['0: GET a', 'does not say what GET has to answer'],
    ['0: GET a > 1', 'compares what GET answers, which is no number'],
    ['0: EXISTS a = yes', 'compares what EXISTS answers, a number, with "yes"'],
    ['0: EXISTS', 'gives EXISTS 0 words, and it takes 1'],
    ['0: GET a b = 1', 'gives GET 2 words, and it takes 1'],
  ])('refuses %s', (text, why) => {
    expect(() => redisAssertionFrom(text)).toThrow(`Input "assertions": ${JSON.stringify(text)} ${why}`);
  });
});

describe('faultOfAnswer', () => {
  it.each([
    ['0: GET a = 1', '1', null],
    ['0: GET a = 1', '2', 'the answer is 2, not 1'],
    ['0: GET a = 1', '', 'the answer is nothing, not 1'],
    ['0: EXISTS a', '1', null],
    ['0: EXISTS a', '0', 'the answer is 0, not > 0'],
    ['0: SCARD a', 'WRONGTYPE Operation', 'the answer is WRONGTYPE Operation, not > 0'],
    ['0: DBSIZE >= 9', '9', null],
    ['0: DBSIZE <= 9', '10', 'the answer is 10, not <= 9'],
    ['0: DBSIZE < 9', '8', null],
  ])('%s: %s', (text, answer, fault) => {
    expect(faultOfAnswer(redisAssertionFrom(text), answer)).toBe(fault && `${text}: ${fault}`);
  });
});
