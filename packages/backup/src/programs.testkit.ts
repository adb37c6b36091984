import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { buffer, text } from 'node:stream/consumers';
import { ARCHIVE_PROGRAM } from '@perlstack/configs';
import { openStorage } from '@perlstack/object-storage';
import { writeBook } from './book.js';
import { keysOf } from './keys.js';

/** What a program of ours on a host said, and how it ended. */
export interface Said {
  readonly code: number | null;
  readonly words: readonly Record<string, unknown>[];
  readonly stderr: string;
}

/**
 * Runs a program as a host does, and talks with it.
 *
 * @param answer what the runner says to a word; nothing where it says nothing, `null` where it goes away
 */
export async function converse(
  program: string,
  spec: object,
  answer: (word: Record<string, unknown>) => object | null | undefined = () => undefined,
): Promise<Said> {
  const child = spawn('perl', ['-e', program], { stdio: 'pipe' });
  child.stdin.on('error', () => undefined);
  const words: Record<string, unknown>[] = [];
  const stderr = text(child.stderr);
  child.stdin.write(`${JSON.stringify(spec)}\n`);
  createInterface({ input: child.stdout }).on('line', (line) => {
    const word = JSON.parse(line) as Record<string, unknown>;
    words.push(word);
    const reply = answer(word);
    if (reply === null || 'done' in word) child.stdin.end();
    else if (reply !== undefined) child.stdin.write(`${JSON.stringify(reply)}\n`);
  });
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, words, stderr: await stderr };
}

export const md5 = (content: Buffer): string => createHash('md5').update(content).digest('hex');
export const sha256 = (content: Buffer): string => createHash('sha256').update(content).digest('hex');

type Behaviour = (request: IncomingMessage, response: ServerResponse, asked: number) => unknown;

/** A storage on the loopback that behaves as it is told; `asked` counts from 1. With a certificate it speaks TLS. */
export async function storageThat(
  behaves: Behaviour,
  certificate?: { readonly key: Buffer; readonly cert: Buffer },
): Promise<{ readonly url: string; readonly close: () => void }> {
  let asked = 0;
  const answer = (request: IncomingMessage, response: ServerResponse): void => {
    request.on('error', () => undefined);
    void behaves(request, response, (asked += 1));
  };
  const server = certificate ? createTlsServer(certificate, answer) : createServer(answer);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `${certificate ? 'https' : 'http'}://127.0.0.1:${port}/bucket/key?X-Amz-Signature=secret`,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

/** Takes a part as a storage does. @returns what came */
export async function take(request: IncomingMessage, response: ServerResponse): Promise<Buffer> {
  const content = await buffer(request);
  response.writeHead(200, { etag: `"${md5(content)}"` }).end();
  return content;
}

/** The identifier of the data that `bookOf` is for. */
const SYSTEM_ID = '7';

/** Lays what the server's control file begins with into a data directory. */
export function layControl(folder: string, systemId = SYSTEM_ID): void {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(systemId));
  mkdirSync(join(folder, 'global'), { recursive: true });
  writeFileSync(join(folder, 'global/pg_control'), bytes);
}

/** A book of tickets for a storage of `storageThat`. */
export async function bookOf(
  url: string,
  names: Iterable<string>,
  recipient: string | null = null,
): Promise<Buffer> {
  const { origin } = new URL(url);
  const bucket = openStorage({
    ...{ endpoint: origin, bucket: 'shop-backups', accessKeyId: 'key', secretAccessKey: 'secret' },
  });
  const ways = { once: 'condition', lock: null } as const;
  const options = { recipient, limitBytes: 1e12, ways };
  const { content } = await writeBook(bucket, keysOf('shop').cluster(SYSTEM_ID), names, options);
  bucket.close();
  return Buffer.concat([...content]);
}

/** Has the file `segment` of a folder archived, which is the data directory and that of the archiving as well. */
export async function archiveWal(
  folder: string,
  name: string,
  variables: Readonly<Record<string, string>> = {},
  program = ARCHIVE_PROGRAM,
): Promise<{ readonly code: unknown; readonly said: string }> {
  const env = { ...process.env, PERLSTACK_WAL: folder, ...variables };
  const child = spawn('perl', ['-', 'segment', name], { env, cwd: folder, stdio: 'pipe' });
  child.stdin.end(program);
  const said = text(child.stderr);
  const [code] = (await once(child, 'close')) as [unknown];
  return { code, said: await said };
}
