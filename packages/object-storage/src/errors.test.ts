import { describe, expect, it } from '@jest/globals';
import { UserError } from '@perlstack/stack';
import { placeOf, StorageError, storageError } from './errors.js';

const KEY = 'AKIDSECRET';
const URL_OF = `https://us-ord-1.linodeobjects.com/shop/base?X-Amz-Credential=${KEY}&X-Amz-Signature=0123`;
const PLACE = placeOf({ endpoint: `https://${KEY}:pw@us-ord-1.linodeobjects.com/`, bucket: 'shop' });

/** As the SDK throws it: with the request and the answer in it. */
function answered(name: string, status: number): Error {
  return Object.assign(new Error(`${name} at ${URL_OF}`), {
    name,
    $metadata: { httpStatusCode: status, requestId: 'tx1' },
    $response: { headers: { authorization: `AWS4-HMAC-SHA256 Credential=${KEY}` } },
    cause: new Error(URL_OF),
  });
}

const translated = (error: unknown): StorageError => {
  const translation = storageError(error, 'PUT shop/lease.json', PLACE);
  if (!(translation instanceof StorageError)) throw new Error('not translated');
  return translation;
};

describe('storageError', () => {
  it.each([
    ['NoSuchKey', 404, 'missing'],
    ['NotFound', 404, 'missing'],
    ['NoSuchUpload', 404, 'missing'],
    ['NoSuchBucket', 404, 'no-bucket'],
    ['PreconditionFailed', 412, 'exists'],
    ['ConditionalRequestConflict', 409, 'exists'],
    ['ConcurrentModification', 409, 'exists'],
    ['AccessDenied', 403, 'denied'],
    ['Unauthorized', 401, 'denied'],
    ['BadDigest', 400, 'bad-digest'],
    ['InvalidPart', 400, 'refused'],
    ['MissingContentLength', 411, 'refused'],
    ['NotImplemented', 501, 'refused'],
    ['OperationAborted', 409, 'busy'],
    ['SlowDown', 503, 'busy'],
    ['InternalError', 500, 'busy'],
    ['TooManyRequests', 429, 'busy'],
  ] as const)('%s (%i) is of the kind %s', (name, status, kind) => {
    const error = translated(answered(name, status));
    expect(error).toMatchObject({ kind, status });
    expect(error.message).toContain(`(${status} ${name}): `);
  });

  it('says what, where, why and what to do, in one line', () => {
    const error = translated(answered('AccessDenied', 403));
    expect(error).toBeInstanceOf(UserError);
    expect(error.message).toBe(
      'Object storage us-ord-1.linodeobjects.com, bucket shop: PUT shop/lease.json failed (403 AccessDenied): check the access key, and that it may read and write this bucket',
    );
  });

  it.each([
    ['RequestTimeTooSkewed', 'clock'],
    ['InvalidAccessKeyId', 'no such access key'],
    ['SignatureDoesNotMatch', 'secret key'],
    ['QuotaExceeded', 'quota'],
  ])('says of %s more than that it was denied', (name, word) => {
    expect(translated(answered(name, 403)).message).toContain(word);
  });

  it.each([
    [{ code: 'ECONNREFUSED' }, 'ECONNREFUSED'],
    [{ cause: Object.assign(new Error(URL_OF), { code: 'ENOTFOUND' }) }, 'ENOTFOUND'],
    [{ message: `AWS SDK error wrapper for Error: connect ECONNREFUSED 127.0.0.1:9` }, 'ECONNREFUSED'],
    [{ code: 'ETIMEDOUT' }, 'no answer in time'],
    [{ name: 'TimeoutError', message: `Timed out: ${URL_OF}` }, 'no answer in time'],
    [{ message: `socket hang up: ${URL_OF}` }, 'the connection broke off'],
  ])('without an answer, names the reason: %#', (more, reason) => {
    const error = translated(Object.assign(new Error(URL_OF), more));
    expect(error).toMatchObject({ kind: 'unreachable', status: undefined });
    expect(error.message).toContain(`(${reason})`);
  });

  it('holds neither key nor URL, in no field, whatever the SDK threw', () => {
    const thrown = [
      answered('AccessDenied', 403),
      answered(URL_OF, 400),
      Object.assign(new Error(URL_OF), { cause: URL_OF }),
    ];
    for (const error of thrown.map(translated)) {
      const all = [
        error.stack,
        ...Object.getOwnPropertyNames(error).map((name) => String(error[name as keyof Error])),
      ];
      expect(all.join('\n')).not.toMatch(/AKIDSECRET|X-Amz|https:/);
      expect(error.cause).toBeUndefined();
      expect(error.message).not.toContain('\n');
    }
  });

  it('repeats no words of an endpoint that would break the line', () => {
    expect(translated(answered('Evil\n::error::code', 400)).message).not.toMatch(/\n|::/);
  });

  it('leaves its own, and a cancelled run, as they are', () => {
    const own = new StorageError('exists', 'there');
    const cancelled = Object.assign(new Error('cancelled'), { name: 'AbortError' });
    expect(storageError(own, 'x', PLACE)).toBe(own);
    expect(storageError(cancelled, 'x', PLACE)).toBe(cancelled);
  });
});
