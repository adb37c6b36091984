import { UserError } from '@perlstack/stack';
import { oneLine } from './refuse.js';

/** Text of nftables' own language; only the functions below make one. */
export interface NftText {
  readonly nft: string;
}

/** A line, or a head with its block. */
export type NftStatement = NftText | { readonly head: NftText; readonly block: readonly NftStatement[] };

/** An empty line, which sets groups apart. */
export const BLANK: NftText = { nft: '' };

/** The longest comment and log prefix, in bytes. */
const LONGEST = 127;

/**
 * Tag for a line: the text that stands in the source is nftables', a string put into it becomes a quoted one.
 *
 * @throws UserError when a string can't be written
 */
export function nft(text: TemplateStringsArray, ...values: (string | number | NftText)[]): NftText {
  const printed = values.map((value) => {
    if (typeof value === 'object') return value.nft;
    return typeof value === 'number' ? String(value) : quoted(value);
  });
  return { nft: String.raw({ raw: text }, ...printed) };
}

/** nftables has no way to write a quote or a dollar sign inside a string, and takes no empty prefix. */
function quoted(value: string): string {
  const text = oneLine(value, 'nftables');
  if (/["$]/.test(text)) {
    throw new UserError(`nftables: the value ${JSON.stringify(text)} holds a quote or a "$"; remove it`);
  }
  const bytes = Buffer.byteLength(text);
  if (bytes === 0 || bytes > LONGEST) {
    throw new UserError(
      `nftables: the value ${JSON.stringify(text)} has ${bytes} bytes; give it 1 to ${LONGEST}`,
    );
  }
  return `"${text}"`;
}

export const block = (head: NftText, statements: readonly NftStatement[]): NftStatement => ({
  head,
  block: statements,
});

export const comment = (text: string): NftText => ({ nft: `# ${oneLine(text, 'nftables')}` });

/** A name of a table, chain or set. */
export function identifier(name: string): NftText {
  if (/^[a-z][a-z0-9_]{0,30}$/.test(name)) return { nft: name };
  throw new UserError(`nftables: ${JSON.stringify(name)} can't be the name of a table, chain or set`);
}

/** `80,8000-8100` as an anonymous set. */
export function ports(list: string): NftText {
  const ranges = list.split(',').map((range) => range.trim());
  const sound = ranges.every((range) => {
    const [, from, to = from] = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(range) ?? [];
    return Number(from) >= 1 && Number(from) <= Number(to) && Number(to) <= 65_535;
  });
  if (!sound) throw new UserError(`nftables: ${JSON.stringify(list)} are no ports such as 80,8000-8100`);
  return { nft: `{ ${ranges.join(', ')} }` };
}

/** A set of networks that don't overlap. */
export function networkSet(
  name: NftText,
  family: 'ipv4' | 'ipv6',
  networks: readonly string[],
): NftStatement {
  return block(nft`set ${name}`, [
    { nft: `type ${family}_addr` },
    { nft: 'flags interval' },
    block(
      { nft: 'elements =' },
      networks.map((network) => ({ nft: `${checkedNetwork(network)},` })),
    ),
  ]);
}

function checkedNetwork(network: string): string {
  if (/^(?:[0-9.]+|[0-9a-f:]*:[0-9a-f:.]*)\/\d{1,3}$/.test(network)) return network;
  throw new UserError(`nftables: ${JSON.stringify(network)} is no network such as 10.10.0.0/24`);
}

const INDENT = '    ';

function printStatement(statement: NftStatement, indent: string): string {
  if ('nft' in statement) return statement.nft === '' ? '\n' : `${indent}${statement.nft}\n`;
  const body = statement.block.map((inner) => printStatement(inner, indent + INDENT)).join('');
  return `${indent}${statement.head.nft} {\n${body}${indent}}\n`;
}

/** The text of a file for `nft --file`. */
export function printNftables(statements: readonly NftStatement[]): string {
  return statements.map((statement) => printStatement(statement, '')).join('');
}
