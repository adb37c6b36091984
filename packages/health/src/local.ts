import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { connect, isIP } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { checkServerIdentity, connect as secureConnect } from 'node:tls';
import { messageOf } from '@perlstack/stack';
import {
  type Answer,
  type Ask,
  type HttpRequest,
  type Request,
  type Untimed,
  withoutLogin,
} from './probe.js';

/** Asks from this machine. */
export const askHere: Ask = async (requests, { rounds, intervalMs, delayMs, timeoutMs, signal }) => {
  const answers: Answer[][] = [];
  const pause = (ms: number): Promise<void> =>
    sleep(ms, undefined, signal ? { signal } : {}).catch(() => undefined);
  if (delayMs > 0) await pause(delayMs);
  for (let round = 0; round < rounds && !signal?.aborted; round += 1) {
    if (round > 0) await pause(intervalMs);
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
  { address, port, servername, ca }: Extract<Request, { kind: 'tls' }>,
  signal: AbortSignal,
): Promise<Untimed<Extract<Answer, { kind: 'tls' }>>> {
  return new Promise((resolve, reject) => {
    const name = isIP(servername) ? {} : { servername };
    const socket = secureConnect({ host: address, port, ...name, ca, rejectUnauthorized: false });
    const giveUp = (): void => void socket.destroy(new Error('cut off'));
    signal.addEventListener('abort', giveUp, { once: true });
    socket.once('error', reject);
    socket.once('secureConnect', () => {
      const { valid_to: validTo } = socket.getPeerCertificate();
      const { authorizationError: error } = socket;
      // Also of a name that is an address: the error that the connection knows is that of the first fault alone.
      const mismatch = checkServerIdentity(servername, socket.getPeerCertificate());
      const problem = mismatch?.message ?? (error ? messageOf(error) : null);
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

type HttpAnswer = Untimed<Extract<Answer, { kind: 'http' }>>;

/** Follows as many redirects as it is told to; headers, a login and a socket are for the first origin alone. */
async function get(request: HttpRequest, signal: AbortSignal): Promise<HttpAnswer> {
  let asked = request;
  for (let redirects = 0; ; redirects += 1) {
    const answer = { ...(await getOnce(asked, signal)), redirects, url: withoutLogin(asked.url) };
    const next = redirects < request.redirects ? redirectOf(answer, asked.url) : undefined;
    if (next === undefined) return answer;
    const { origin, username, password } = new URL(asked.url);
    if (next.origin === origin) {
      asked = { ...asked, url: Object.assign(next, { username, password }).href };
    } else {
      const { socket: _socket, ...rest } = asked;
      asked = { ...rest, url: withoutLogin(next.href), headers: {} };
    }
  }
}

/** Where an answer leads to; undefined where it does not, or to something that is not asked by HTTP. */
function redirectOf({ status, headers }: Pick<HttpAnswer, 'status' | 'headers'>, base: string) {
  const target = headers['location'];
  if (status < 300 || status > 399 || target === undefined || !URL.canParse(target, base)) return undefined;
  const url = new URL(target, base);
  return /^https?:$/.test(url.protocol) ? url : undefined;
}

function getOnce({ url, headers, socket, ca, most }: HttpRequest, signal: AbortSignal) {
  const send = url.startsWith('https:') ? httpsRequest : httpRequest;
  return new Promise<Omit<HttpAnswer, 'redirects' | 'url'>>((resolve, reject) => {
    // Without an agent every try makes a connection of its own, as a new client would.
    const options = { agent: false, headers, signal, socketPath: socket, ca };
    const outgoing = send(url, options, (answer) => {
      const head = { kind: 'http', status: answer.statusCode ?? 0, headers: headersOf(answer) } as const;
      readStart(answer, most).then((body) => resolve({ ...head, ...body }), reject);
    });
    outgoing.once('error', reject);
    outgoing.end();
  });
}

/** The first part of a body; a longer one is cut off there, so that an endless answer costs no memory. */
async function readStart(answer: IncomingMessage, most: number): Promise<{ body: string; cut: boolean }> {
  const parts: Buffer[] = [];
  let length = 0;
  for await (const part of answer as AsyncIterable<Buffer>) {
    parts.push(part);
    length += part.length;
    if (length > most) break;
  }
  answer.destroy();
  return { body: Buffer.concat(parts).subarray(0, most).toString('utf8'), cut: length > most };
}

function headersOf(answer: IncomingMessage): Record<string, string> {
  const entries = Object.entries(answer.headers);
  return Object.fromEntries(
    entries.map(([name, value]) => [name, Array.isArray(value) ? value.join(', ') : (value ?? '')]),
  );
}
