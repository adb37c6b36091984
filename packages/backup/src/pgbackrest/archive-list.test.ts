import { describe, expect, it } from '@jest/globals';
import { readArchiveEntry, sha1Of } from './archive-list.js';

const SHA1 = 'c1ae442f31e3b06ffaf9a26c426ea0bd3fc7d936';
const FOLDER = '0000000100000000';
const NAME = `${FOLDER}00000001`;
const entry = (path: string): string => `{"${path}":{"type":"file","size":784,"time":1795798220},`;

describe('readArchiveEntry', () => {
  it.each([
    [`${FOLDER}/${NAME}-${SHA1}.zst`, NAME],
    [`${FOLDER}/${NAME}-${SHA1}`, NAME],
    ['00000002.history', '00000002.history'],
  ])('reads %s', (path, name) =>
    expect(readArchiveEntry(entry(path))).toEqual({
      ...{ name, key: path, size: 784, modified: new Date(1_795_798_220_000) },
    }),
  );
  it.each([`${FOLDER}/${NAME}.00000028.backup`, `${FOLDER}/${NAME}.partial-${SHA1}.zst`, 'archive.info'])(
    'passes over %s',
    (path) => expect(readArchiveEntry(entry(path))).toBeNull(),
  );
  it('passes over folders', () => expect(readArchiveEntry(`"${FOLDER}":{"type":"path"},`)).toBeNull());
  it('keeps what the content is to be', () => {
    expect(sha1Of(`${FOLDER}/${NAME}-${SHA1}.zst`)).toBe(SHA1);
    expect(sha1Of('00000002.history')).toBeNull();
  });
});
