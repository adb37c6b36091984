import { createHash, createHmac } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { LONGEST_SIGNED_S, presignerOf } from './presign.js';

const SECRET = 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY';
const SPEC = {
  endpoint: 'https://us-ord-1.linodeobjects.com',
  bucket: 'shop',
  accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
  secretAccessKey: SECRET,
};
const NOW = new Date('2013-05-24T00:00:00Z');

/**
 * The signature that a storage expects of a request, by AWS's description of Signature Version 4 in queries and from
 * nothing but the URL and the headers: https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
 */
function expectedSignature(
  method: string,
  text: string,
  secret: string,
  headers: Record<string, string> = {},
): string {
  const url = new URL(text);
  const pairs = url.search
    .slice(1)
    .split('&')
    .filter((pair) => !pair.startsWith('X-Amz-Signature='))
    .sort();
  const query = (name: string): string => url.searchParams.get(name) ?? '';
  const signed = query('X-Amz-SignedHeaders').split(';');
  const sent: Record<string, string> = { host: url.host, ...headers };
  const canonical = [
    ...[method, url.pathname, pairs.join('&')],
    ...signed.map((name) => `${name}:${(sent[name] ?? '').trim()}`),
    ...['', signed.join(';'), 'UNSIGNED-PAYLOAD'],
  ].join('\n');
  const scope = query('X-Amz-Credential').split('/').slice(1);
  const hash = createHash('sha256').update(canonical).digest('hex');
  const toSign = [query('X-Amz-Algorithm'), query('X-Amz-Date'), scope.join('/'), hash].join('\n');
  const key = scope.reduce<Buffer | string>(
    (last, word) => createHmac('sha256', last).update(word).digest(),
    `AWS4${secret}`,
  );
  return createHmac('sha256', key).update(toSign).digest('hex');
}

describe('expectedSignature', () => {
  it("is the one of AWS's published example", () => {
    const url =
      'https://examplebucket.s3.amazonaws.com/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host';
    expect(expectedSignature('GET', url, SECRET)).toBe(
      'aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404',
    );
  });
});

describe('presignerOf', () => {
  it.each([
    ['a plain GET', { method: 'GET', key: 'test.txt' }],
    ['a HEAD', { method: 'HEAD', key: 'wal/000000010000000000000001' }],
    ['a part', { method: 'PUT', key: 'base/1.tar', query: { partNumber: '7', uploadId: '2~a/b+c=' } }],
    ['a write-once PUT', { method: 'PUT', key: 'wal/1', headers: { 'if-none-match': '*' } }],
    [
      'a PUT of one length',
      { method: 'PUT', key: 'wal/1', headers: { 'content-length': '5', 'if-none-match': '*' } },
    ],
    ['a key of all kinds of characters', { method: 'GET', key: "a b/ü(1)*'!~+&?%2F:@.tar" }],
  ] as const)('signs %s as a storage checks it', async (_what, request) => {
    const { url, signature } = presignerOf(SPEC, 86_400, NOW).sign(request);
    const headers = 'headers' in request ? request.headers : {};
    expect(signature).toBe(expectedSignature(request.method, url, SECRET, headers));
    expect(new URL(url).searchParams.get('X-Amz-Signature')).toBe(signature);
    expect(decodeURIComponent(new URL(url).pathname)).toBe(`/shop/${request.key}`);
  });

  it('signs for another method, header, time and secret otherwise', async () => {
    const sign = async (method: 'GET' | 'PUT', headers = {}, now = NOW, secret = SECRET): Promise<string> =>
      presignerOf({ ...SPEC, secretAccessKey: secret }, 60, now).sign({ method, key: 'k', headers })
        .signature;
    const signatures = await Promise.all([
      sign('GET'),
      sign('PUT'),
      sign('PUT', { 'if-none-match': '*' }),
      sign('PUT', {}, new Date(+NOW + 1_000)),
      sign('PUT', {}, NOW, 'other'),
    ]);
    expect(new Set(signatures).size).toBe(signatures.length);
  });

  it('binds every header that it is given, and only the host otherwise', async () => {
    const presigner = presignerOf(SPEC, 60, NOW);
    const signed = async (headers: Record<string, string>): Promise<string | null> =>
      new URL(presigner.sign({ method: 'PUT', key: 'k', headers }).url).searchParams.get(
        'X-Amz-SignedHeaders',
      );
    expect(await signed({})).toBe('host');
    expect(
      await signed({ 'if-none-match': '*', 'content-md5': 'x', 'content-length': '1', 'x-amz-meta-a': 'b' }),
    ).toBe('content-length;content-md5;host;if-none-match;x-amz-meta-a');
  });

  it('makes URLs that differ by path and signature alone', async () => {
    const presigner = presignerOf(SPEC, 60, NOW);
    const headers = { 'if-none-match': '*' };
    const [one, other] = ['wal/1', 'wal/2'].map((key) => presigner.sign({ method: 'PUT', key, headers }));
    expect(one?.common).toBe(other?.common);
    expect(one?.url).toBe(`${SPEC.endpoint}/shop/wal/1?${one?.common}${one?.signature}`);
    expect(other?.url).toBe(`${SPEC.endpoint}/shop/wal/2?${other?.common}${other?.signature}`);
  });

  it("names the port, the endpoint's region and the time of its end", async () => {
    const presigner = presignerOf({ ...SPEC, endpoint: 'http://198.51.100.10:7480' }, LONGEST_SIGNED_S, NOW);
    const { url } = presigner.sign({ method: 'GET', key: 'k' });
    expect(url).toMatch(/^http:\/\/198\.51\.100\.10:7480\/shop\/k\?/);
    expect(url).toContain('%2Fus-east-1%2Fs3%2F');
    expect(url).toContain('X-Amz-Expires=604800');
    expect(presignerOf(SPEC, 60).sign({ method: 'GET', key: 'k' }).url).toContain('%2Fus-ord-1%2Fs3%2F');
    expect(presignerOf({ ...SPEC, region: 'x' }, 60).sign({ method: 'GET', key: 'k' }).url).toContain(
      '%2Fx%2F',
    );
    expect(presigner.expiresAt).toEqual(new Date('2013-05-31T00:00:00Z'));
  });

  it.each([0, -1, Number.NaN, LONGEST_SIGNED_S + 1])('makes none that is good for %p seconds', (seconds) => {
    expect(() => presignerOf(SPEC, seconds, NOW)).toThrow(RangeError);
  });

  it('leaves the secret out of its URLs', async () => {
    const { url } = presignerOf(SPEC, 60, NOW).sign({ method: 'GET', key: 'k' });
    expect(decodeURIComponent(url)).not.toContain(SECRET);
  });
});
