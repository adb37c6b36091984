import { createHmac } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { UserError } from '@perlstack/stack';
import { scramVerifier, verifierWith } from './scram.js';

describe('verifierWith', () => {
  it('agrees with the exchange in RFC 7677', () => {
    const salt = Buffer.from('W22ZaJ0SNY7soEsUEjb6gQ==', 'base64');
    const nonce = 'rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0';
    const exchange = [
      ...['n=user', 'r=rOprNGfwEbeRWgbNEkqO', `r=${nonce}`],
      ...['s=W22ZaJ0SNY7soEsUEjb6gQ==', 'i=4096', 'c=biws', `r=${nonce}`],
    ].join(',');
    const verifier = verifierWith('pencil', salt, 4_096);
    const serverKey = Buffer.from(verifier.split(':').at(-1) ?? '', 'base64');
    expect(createHmac('sha256', serverKey).update(exchange).digest('base64')).toBe(
      '6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=',
    );
    expect(verifier).toMatch(
      /^SCRAM-SHA-256\$4096:W22ZaJ0SNY7soEsUEjb6gQ==\$[A-Za-z0-9+/]{43}=:[A-Za-z0-9+/]{43}=$/,
    );
  });
});

describe('scramVerifier', () => {
  it('is the same for the same input, and has its own salt for every place and password', () => {
    const salts = [
      scramVerifier('X', 'secret', 'shop/shop'),
      scramVerifier('X', 'secret', 'shop/replicator'),
      scramVerifier('X', 'secret2', 'shop/shop'),
    ].map((verifier) => verifier.split('$')[1]);
    expect(new Set(salts).size).toBe(3);
    expect(scramVerifier('X', 'secret', 'shop/shop')).toBe(scramVerifier('X', 'secret', 'shop/shop'));
  });

  it.each(['pässword', 'line\nend', '', 'tab\t'])('refuses %j without showing it', (password) => {
    const attempt = () => scramVerifier('DATABASE_PASSWORD', password, 'shop/shop');
    expect(attempt).toThrow(UserError);
    expect(attempt).toThrow(
      /^DATABASE_PASSWORD: use printable ASCII characters only; client libraries disagree/,
    );
  });
});
