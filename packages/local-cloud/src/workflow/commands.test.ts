import { expect, it } from '@jest/globals';
import { parseCommand } from './commands.js';

it.each([
  ['::error::oh', { name: 'error', properties: {}, message: 'oh' }],
  ['  ::Add-Mask::a::b', { name: 'add-mask', properties: {}, message: 'a::b' }],
  ['::endgroup::', { name: 'endgroup', properties: {}, message: '' }],
  [
    '::notice title=a%2Cb%3Ac=d,file=x.yml::1%0A2%25',
    { name: 'notice', properties: { title: 'a,b:c=d', file: 'x.yml' }, message: '1\n2%' },
  ],
  ['::warning line=,col=2::x', { name: 'warning', properties: { col: '2' }, message: 'x' }],
])('parses %j', (line, command) => expect(parseCommand(line)).toEqual(command));

it.each(['plain', 'a ::error::b', '::no end', ':: ::x'])('takes %j for no command', (line) =>
  expect(parseCommand(line)).toBeUndefined(),
);
