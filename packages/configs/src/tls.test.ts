import { spawnSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { UserError } from '@perlstack/stack';
import { exampleStack } from './examples.js';
import { checkCertificate } from './tls.js';
import { certificateFor } from './tls.testkit.js';

const DAY = 86_400_000;
const withOpenssl = spawnSync('openssl', ['version']).status === 0;

const stackWith = (domains: string, tls = '{ files: true }') =>
  exampleStack(
    `stack: shop\nregion: us-ord\napp: { domains: ${domains} }\ntiers: { web: { tls: ${tls} } }\n`,
  );

const SHOP = stackWith('[shop.example.com, www.shop.example.com]');

(withOpenssl ? describe : describe.skip)('checkCertificate (needs openssl)', () => {
  const tls = certificateFor(['shop.example.com', '*.shop.example.com'], 30);
  const now = Date.now();

  it('has nothing to say of a good certificate, also of a chain', () => {
    const chain = tls.certificate + certificateFor(['issuer.example.com'], 30).certificate;
    expect(checkCertificate(SHOP, tls, now)).toEqual([]);
    expect(checkCertificate(SHOP, { ...tls, certificate: chain }, now)).toEqual([]);
  });

  it('warns when it will expire soon', () => {
    expect(checkCertificate(SHOP, tls, now + 15.5 * DAY)).toEqual([]);
    expect(checkCertificate(SHOP, tls, now + 17 * DAY)).toEqual([
      expect.stringMatching(/expires in 1[23] days, on \d{4}-\d\d-\d\d; renew it/),
    ]);
  });

  it('warns of a certificate that nobody uses, and asks for none where none is used', () => {
    const plain = exampleStack('stack: shop\nregion: us-ord\napp: {}\n');
    expect(checkCertificate(plain, tls, now)).toEqual([expect.stringContaining('tls.files is not set')]);
    expect(checkCertificate(plain, null, now)).toEqual([]);
  });

  const other = certificateFor(['shop.example.com'], 30);
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const foreign = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();

  it.each([
    [
      'no certificate',
      SHOP,
      null,
      now,
      /HTTPS is to be served for shop.example.com, .* no certificate was handed/,
    ],
    ['no domain', stackWith('[]'), tls, now, /needs a name; set app.domains/],
    ['an empty text', SHOP, { ...tls, certificate: '' }, now, /tls-certificate: there is no certificate/],
    [
      'a broken certificate',
      SHOP,
      { ...tls, certificate: tls.certificate.replace(/^M.*$/m, 'AAAA') },
      now,
      /certificate 1 can't be read/,
    ],
    ['a broken key', SHOP, { ...tls, privateKey: 'geheim' }, now, /^tls-private-key: (?!.*geheim)/],
    [
      "another's key",
      SHOP,
      { ...tls, privateKey: foreign },
      now,
      /does not belong to the certificate of shop/,
    ],
    ['a domain that it does not cover', SHOP, other, now, /for shop.example.com and does not cover www.shop/],
    ['one of tomorrow', SHOP, tls, now - 2 * DAY, /not valid before \d{4}-/],
    ['one of yesterday', SHOP, tls, now + 31 * DAY, /expired on \d{4}-.*; renew it/],
  ])('refuses %s', (_what, stack, files, at, message) => {
    const attempt = () => checkCertificate(stack, files, at);
    expect(attempt).toThrow(UserError);
    expect(attempt).toThrow(message);
  });
});
