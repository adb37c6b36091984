import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '@perlstack/stack';
import { type Answer, type Ask, BODY_LIMIT, type Request } from './probe.js';

/** Asks from this machine. */
export const askHere: Ask = async (requests, { rounds, intervalMs, timeoutMs, signal }) => {
  const answers: Answer[][] = [];
  for (let round = 0; round < rounds && !signal?.aborted; round += 1) {
    if (round > 0) await sleep(intervalMs, undefined, signal ? { signal } : {}).catch(() => undefined);
    const one = await Promise.all(requests.map((request) => askOnce(request, timeoutMs, signal)));
    answers.push(one);
    if (one.some((answer) => answer.kind === 'error')) break;
  }
  return answers;
};

async function askOnce(request: Request, timeoutMs: number, signal?: AbortSignal): Promise<Answer> {
  const limit = AbortSignal.timeout(timeoutMs);
  const stop = signal ? AbortSignal.any([signal, limit]) : limit;
  const start = performance.now();
  const ms = (): number => performance.now() - start;
  try {
    const answer = await (request.kind === 'tcp' ? open(request, stop) : get(request, stop));
    return { ...answer, ms: ms() };
  } catch (error) {
    const why = signal?.aborted
      ? 'cancelled'
      : limit.aborted
        ? `no answer in ${timeoutMs} ms`
        : messageOfAny(error);
    return { kind: 'error', ms: ms(), error: why };
  }
}

/** A connection to a name with several addresses fails with an AggregateError, whose own message is empty. */
function messageOfAny(error: unknown): string {
  return error instanceof AggregateError ? error.errors.map(messageOf).join(', ') : messageOf(error);
}

function open({ address, port }: Extract<Request, { kind: 'tcp' }>, signal: AbortSignal) {
  return new Promise<{ kind: 'tcp' }>((resolve, reject) => {
    const socket = connect({ host: address, port, signal });
    socket.once('connect', () => {
      resolve({ kind: 'tcp' });
      socket.destroy();
    });
    socket.once('error', reject);
  });
}

function get(request: Extract<Request, { kind: 'http' }>, signal: AbortSignal) {
  const send = request.url.startsWith('https:') ? httpsRequest : httpRequest;
  return new Promise<Omit<Extract<Answer, { kind: 'http' }>, 'ms'>>((resolve, reject) => {
    // Without an agent every try makes a connection of its own, as a new client would.
    const options = { agent: false, headers: request.headers, signal, socketPath: request.socket };
    const outgoing = send(request.url, options, (answer) => {
      readStart(answer).then(
        (body) => resolve({ kind: 'http', status: answer.statusCode ?? 0, headers: headersOf(answer), body }),
        reject,
      );
    });
    outgoing.once('error', reject);
    outgoing.end();
  });
}

/** The first part of a body; a longer one is cut off there, so that an endless answer costs no memory. */
async function readStart(answer: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  let length = 0;
  for await (const part of answer as AsyncIterable<Buffer>) {
    parts.push(part);
    length += part.length;
    if (length >= BODY_LIMIT) break;
  }
  answer.destroy();
  return Buffer.concat(parts).subarray(0, BODY_LIMIT).toString('utf8');
}

function headersOf(answer: IncomingMessage): Record<string, string> {
  const entries = Object.entries(answer.headers);
  return Object.fromEntries(
    entries.map(([name, value]) => [name, Array.isArray(value) ? value.join(', ') : (value ?? '')]),
  );
}
