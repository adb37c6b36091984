import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { UserError } from '@perlstack/stack';

const BLOCK = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/**
 * The certificates of authorities that a text holds, or the file whose path it is, relative to the working folder.
 *
 * @param what the key or input that errors give
 * @throws UserError when there is none, or one cannot be read
 */
export function authoritiesIn(text: string, what: string): string {
  const pem = text.includes('-----BEGIN') ? text : fileAt(text, what);
  const blocks = pem.match(BLOCK) ?? [];
  if (blocks.length === 0 || !blocks.every(isCertificate))
    throw new UserError(
      `${what}: no certificate of an authority in PEM form; it begins with -----BEGIN CERTIFICATE-----`,
    );
  return `${blocks.join('\n')}\n`;
}

function fileAt(path: string, what: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    throw new UserError(
      `${what}: there is no file ${resolve(path)}; is a checkout or download step missing before this one?`,
    );
  }
}

function isCertificate(block: string): boolean {
  try {
    return new X509Certificate(block).subject !== undefined;
  } catch {
    return false;
  }
}
