import { spawnSync } from 'node:child_process';
import { describe, expect, it } from '@jest/globals';
import { UserError } from '@perlstack/stack';
import {
  BLANK,
  block,
  comment,
  identifier,
  networkSet,
  nft,
  type NftStatement,
  ports,
  printNftables,
} from './nftables.js';

const asRoot = process.getuid?.() === 0;
const withNft = asRoot && spawnSync('unshare', ['--net', 'nft', 'list', 'tables']).status === 0;

/** What the real nft, in a network of its own, makes of a table. */
function loaded(statements: readonly NftStatement[]): unknown[] {
  const script = 'nft --file - && nft --json list table inet t';
  const input = printNftables([block(nft`table inet t`, statements)]);
  const { status, stdout, stderr } = spawnSync('unshare', ['--net', 'sh', '-c', script], {
    input,
    encoding: 'utf8',
  });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  return (JSON.parse(stdout) as { nftables: unknown[] }).nftables;
}

const NASTY = [
  'plain',
  'two words',
  ' ',
  "it's",
  '`id`',
  '\\',
  'tail\\',
  '\\n',
  '*',
  'tail*',
  '#no comment',
  '{ ; }',
  '@set',
  '%s',
  '-',
  'é 漢',
  'x'.repeat(127),
];

describe('printNftables', () => {
  it('indents blocks and sets groups apart', () => {
    const text = printNftables([
      comment('why'),
      block(nft`table inet t`, [nft`a ${identifier('b')} ${7}`, BLANK, block(nft`chain c`, [nft`d`])]),
    ]);
    expect(text).toBe('# why\ntable inet t {\n    a b 7\n\n    chain c {\n        d\n    }\n}\n');
  });

  it.each<[string, () => unknown]>([
    ['a quote', () => nft`comment ${'a"b'}`],
    ['a variable', () => nft`comment ${'$x'}`],
    ['a line end', () => nft`comment ${'a\nb'}`],
    ['no text at all', () => nft`comment ${''}`],
    ['more than 127 bytes', () => nft`comment ${'é'.repeat(64)}`],
    ['a comment that would end its line', () => comment('a\naccept')],
    ['a name with a blank', () => identifier('a b')],
    ['an empty name', () => identifier('')],
    ['a port of 0', () => ports('0')],
    ['a port that is too large', () => ports('65536')],
    ['ports the wrong way round', () => ports('20-10')],
    ['ports with words', () => ports('80 } accept')],
    ['no port', () => ports('')],
    ['a network with words', () => networkSet(nft`s`, 'ipv4', ['10.0.0.0/8 }'])],
    ['an address', () => networkSet(nft`s`, 'ipv4', ['10.0.0.0'])],
  ])('refuses %s', (_what, print) => expect(print).toThrow(UserError));
});

(withNft ? describe : describe.skip)('nft (needs nft, unshare and root)', () => {
  it.each(NASTY)('gives %j back as it was', (text) => {
    const chain = block(nft`chain c`, [nft`log prefix ${text} accept comment ${text}`]);
    expect(loaded([comment(text), chain])).toContainEqual({
      rule: expect.objectContaining({
        comment: text,
        expr: expect.arrayContaining([{ log: { prefix: text } }]),
      }) as unknown,
    });
  });

  it('takes sets of both families and lists of ports', () => {
    const set = (family: 'ipv4' | 'ipv6', networks: string[]) =>
      networkSet(identifier(`s_${family}`), family, networks);
    const found = loaded([
      set('ipv4', ['10.10.0.0/24', '192.0.2.7/32']),
      set('ipv6', ['2001:db8::/32', 'fd00::12/128']),
      block(nft`chain c`, [nft`ip saddr @s_ipv4 tcp dport ${ports('80,8000-8100')} accept`]),
    ]);
    expect(JSON.stringify(found)).toContain('"elem":[{"prefix":{"addr":"10.10.0.0","len":24}},"192.0.2.7"]');
    expect(JSON.stringify(found)).toContain('{"set":[80,{"range":[8000,8100]}]}');
  });
});
