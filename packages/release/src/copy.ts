import { createHash } from 'node:crypto';
import { PassThrough, Readable } from 'node:stream';
import type { Handler } from '@perlstack/procedure';
import { act, ARRIVAL_LIMIT, type Hands } from './hands.js';
import * as scripts from './scripts.js';
import type { CopyStep } from './steps.js';

/**
 * A release goes from the host that keeps it to one that does not, through the connections that the runner has to both: no
 * host has a key to another, and no port is open for it.
 */
export function copying(hands: Hands): Handler<CopyStep> {
  return {
    run: async ({ host, release, source, modules }, context) => {
      const broken = new AbortController();
      const signal = AbortSignal.any([context.signal, broken.signal]);
      const packed = new PassThrough();
      const script = ['packing', scripts.PACK] as const;
      const args = [release, ...modules];
      const sent = act(hands, source, script, args, { signal }, { ...ARRIVAL_LIMIT, output: packed });
      sent.catch((error: Error) => packed.destroy(error));
      const counted = { bytes: 0 };
      const input = Readable.from(sealed(packed, sent, counted));
      try {
        await act(hands, host, ['copy', scripts.UNPACK], [release], context, { ...ARRIVAL_LIMIT, input });
      } finally {
        // Who does not listen any more must not keep the other one waiting.
        packed.destroy();
        broken.abort();
        await sent.catch(() => undefined);
      }
      return `${(counted.bytes / 1024 ** 2).toFixed(1)} MiB`;
    },
  };
}

/** What was packed and, once it is known to be all of it, its SHA-256. */
async function* sealed(
  packed: AsyncIterable<Buffer>,
  sent: Promise<unknown>,
  counted: { bytes: number },
): AsyncGenerator<Buffer> {
  const hash = createHash('sha256');
  for await (const chunk of packed) {
    hash.update(chunk);
    counted.bytes += chunk.length;
    yield chunk;
  }
  await sent;
  yield Buffer.from(hash.digest('hex'));
}
