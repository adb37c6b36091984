import { describe, expect, it } from '@jest/globals';
import { parseAssignments, valuesIn } from './assignments.js';

const read = (text: string): Record<string, string> => Object.fromEntries(parseAssignments(text));

describe('parseAssignments', () => {
  it.each<[string, Record<string, string>]>([
    ['A=1\nB=two words \n', { A: '1', B: 'two words' }],
    ['\n  A=x=y\r\n\r\nB=$z;\'"', { A: 'x=y', B: '$z;\'"' }],
    ['A=\nB=<<EOF', { B: '<<EOF' }],
    ['A<<EOF\none\n  two\n\nB=3\nEOF\nC=4', { A: 'one\n  two\n\nB=3', C: '4' }],
    ['A<<EOF\nEOF', {}],
    ['A<<EOF\n\nEOF', {}],
    ['', {}],
  ])('reads %j', (text, values) => expect(read(text)).toEqual(values));

  it.each([
    ['A=1\nhunter2', /^line 2 is not of the form NAME=value; a value of several lines/],
    ['9A=hunter2', /^line 1 is not of the form NAME=value/],
    ['A<<EOF\nhunter2', /^line 1: the value of A has no end/],
    ['A<<\nhunter2\n', /^line 1: the value of A has no end/],
    ['A=hunter2\nA=hunter2', /^A is set twice, the second time in line 2$/],
  ])('refuses %j without quoting it', (text, message) => {
    expect(() => read(text)).toThrow(message);
    expect(() => read(text)).not.toThrow(/hunter2/);
  });
});

describe('valuesIn', () => {
  it('masks values, not names', () => expect(valuesIn('A=one\nB=\nC<<E\ntwo\nE')).toEqual(['one', 'two']));
  it('masks everything of a text that it can not read', () => {
    expect(valuesIn('A=hunter2\nhunter3')).toEqual(['A=hunter2\nhunter3', 'hunter2', 'hunter3']);
  });
});
