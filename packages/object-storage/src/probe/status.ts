import { setTimeout as sleep } from 'node:timers/promises';
import type { S3Client } from '@aws-sdk/client-s3';
import { StorageError } from '../errors.js';
import type { SendOptions, Storage } from '../storage.js';

interface Answered {
  readonly $metadata: { readonly httpStatusCode?: number };
}

/** HTTP's status of a request through the client, also of one that was refused. What never was answered still throws. */
export async function statusOf(
  storage: Storage,
  what: string,
  send: (client: S3Client, options: SendOptions) => Promise<Answered>,
): Promise<number> {
  try {
    return (await storage.ask(what, send)).$metadata.httpStatusCode ?? 200;
  } catch (error) {
    if (error instanceof StorageError && error.status !== undefined && error.kind !== 'busy')
      return error.status;
    throw error;
  }
}

export interface SignedRequest {
  readonly method: 'GET' | 'PUT' | 'DELETE';
  readonly headers?: Readonly<Record<string, string>>;
  /** A stream is sent without a length. */
  readonly body?: string | (() => ReadableStream<Uint8Array>);
}

const TRIES = 4;
const ANSWER_MS = 20_000;

/**
 * HTTP's status of a request by a presigned URL, as someone without a key sends it.
 *
 * @throws StorageError when no answer comes, or none but requests for a slower pace
 */
export async function statusBySigned(storage: Storage, url: string, request: SignedRequest): Promise<number> {
  return (await askBySigned(storage, url, request)).status;
}

/** What a presigned URL gives to someone without a key. @throws StorageError as above */
export const bodyBySigned = (storage: Storage, url: string): Promise<SignedAnswer> =>
  askBySigned(storage, url, { method: 'GET' });

interface SignedAnswer {
  readonly status: number;
  readonly body: string;
}

function askBySigned(storage: Storage, url: string, request: SignedRequest): Promise<SignedAnswer> {
  const { method, headers = {}, body } = request;
  const what = `presigned ${method}`;
  return storage.ask(what, async (_client, { abortSignal }) => {
    const signal = AbortSignal.any([...(abortSignal ? [abortSignal] : []), AbortSignal.timeout(ANSWER_MS)]);
    for (let tried = 1; ; tried++) {
      const content =
        typeof body === 'function'
          ? { body: body(), duplex: 'half' as const }
          : body !== undefined
            ? { body }
            : {};
      const answer = await fetch(url, { method, headers, signal, ...content });
      const said = await answer.text();
      const { status } = answer;
      if (status === 501 || (status < 500 && status !== 429)) return { status, body: said };
      if (tried === TRIES) throw Object.assign(new Error(what), { $metadata: { httpStatusCode: status } });
      await sleep(200 * 2 ** tried, undefined, { signal });
    }
  });
}
