import { describe, expect, it } from '@jest/globals';
import { Redactor, secretForms } from './masks.js';

const KEY =
  '-----BEGIN PRIVATE KEY-----\r\n{"first": "line"}\r\n}\r\nsecond/line+\r\n-----END PRIVATE KEY-----\r\n';

describe('secretForms', () => {
  it('has each line of a secret, but no frame and no line too short to be one', () => {
    const forms = secretForms(KEY);
    expect(forms).toContain('{"first": "line"}');
    expect(forms).toContain('second/line+');
    expect(forms).not.toContain('}');
    expect(forms).not.toContain('-----BEGIN PRIVATE KEY-----');
  });

  it('has a short secret itself', () => expect(secretForms('abc')).toContain('abc'));

  it('is empty for a secret of nothing but space', () => expect(secretForms(' \n')).toEqual([]));

  it('has no form that would hide within an earlier one', () => {
    const lengths = secretForms(KEY).map(({ length }) => length);
    expect(lengths).toEqual([...lengths].sort((a, b) => b - a));
  });
});

describe('Redactor', () => {
  const redactor = new Redactor();
  redactor.add('p4ss/wörd"+');

  it.each([
    ['itself', 'x p4ss/wörd"+ y'],
    ['in JSON', JSON.stringify({ a: 'p4ss/wörd"+' })],
    ['in a URL', `https://u:${encodeURIComponent('p4ss/wörd"+')}@host`],
    ['in base64', Buffer.from('p4ss/wörd"+').toString('base64')],
    ['in base64 after 1 byte', Buffer.from('up4ss/wörd"+ and more').toString('base64')],
    ['in base64 after 2 bytes', Buffer.from('u:p4ss/wörd"+').toString('base64')],
    ['in base64 for URLs', Buffer.from('u:p4ss/wörd"+').toString('base64url')],
  ])('takes a secret out %s', (_, text) => {
    expect(redactor.redact(text)).toContain('***');
    expect(redactor.redact(text)).not.toMatch(/p4ss|w.{1,6}rd|cDRzcy|A0c3Mvd/);
  });

  it('tells the new forms only', () => expect(redactor.add('p4ss/wörd"+')).toEqual([]));

  it('leaves other text alone', () => expect(redactor.redact('web-1 · nginx')).toBe('web-1 · nginx'));
});
