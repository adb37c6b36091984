import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { connect, isIP } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { checkServerIdentity, connect as secureConnect } from 'node:tls';
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
    return { ...(await answerTo(request, stop)), ms: ms() };
  } catch (error) {
    const why = signal?.aborted
      ? 'cancelled'
      : limit.aborted
        ? `no answer in ${timeoutMs} ms`
        : messageOfAny(error);
    return { kind: 'error', ms: ms(), error: why };
  }
}

/** Everything of an answer but the time that it took. */
type Untimed<T> = T extends unknown ? Omit<T, 'ms'> : never;

function answerTo(request: Request, signal: AbortSignal): Promise<Untimed<Answer>> {
  switch (request.kind) {
    case 'tcp':
      return open(request, signal);
    case 'tls':
      return certificateOf(request, signal);
    case 'http':
      return get(request, signal);
    case 'program':
      return Promise.reject(new Error('A program runs on a host: name one'));
  }
}

/** Also of a server that nobody should believe: what is wrong with it is the answer. */
function certificateOf(
  { address, port, servername }: Extract<Request, { kind: 'tls' }>,
  signal: AbortSignal,
): Promise<Omit<Extract<Answer, { kind: 'tls' }>, 'ms'>> {
  return new Promise((resolve, reject) => {
    const name = isIP(servername) ? {} : { servername };
    const socket = secureConnect({ host: address, port, ...name, rejectUnauthorized: false });
    const giveUp = (): void => void socket.destroy(new Error('cut off'));
    signal.addEventListener('abort', giveUp, { once: true });
    socket.once('error', reject);
    socket.once('secureConnect', () => {
      const { valid_to: validTo } = socket.getPeerCertificate();
      const { authorizationError: error } = socket;
      const mismatch = isIP(servername)
        ? undefined
        : checkServerIdentity(servername, socket.getPeerCertificate());
      const problem = error ? messageOf(error) : (mismatch?.message ?? null);
      resolve({ kind: 'tls', problem, validTo: Date.parse(validTo) });
      socket.destroy();
    });
    socket.once('close', () => signal.removeEventListener('abort', giveUp));
  });
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

/** Follows as many redirects as it is told to; credentials go to no other host. */
async function get(request: Extract<Request, { kind: 'http' }>, signal: AbortSignal) {
  let asked = request;
  for (let left = request.redirects; ; left -= 1) {
    const answer = await getOnce(asked, signal);
    const target = answer.headers['location'];
    if (left === 0 || answer.status < 300 || answer.status > 399 || target === undefined) return answer;
    const url = new URL(target, asked.url);
    if (!/^https?:$/.test(url.protocol)) return answer;
    const same = url.origin === new URL(asked.url).origin;
    asked = { ...asked, url: url.href, headers: same ? asked.headers : {} };
  }
}

function getOnce(request: Extract<Request, { kind: 'http' }>, signal: AbortSignal) {
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
