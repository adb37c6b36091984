import { expect, it } from '@jest/globals';
import { generateKeyPair, readPrivateKey } from './keys.js';
import { AttemptError, openSession, type Session } from './session.js';
import { testHost } from './testing.js';

const HOST = testHost('app-1', { address: '10.0.0.1', hostKeys: [`SHA256:${'A'.repeat(43)}`] });
const key = readPrivateKey(generateKeyPair());

/** A jump host that never says whether the host behind it is there. */
const silent = { forward: () => new Promise(() => undefined) } as unknown as Session;

const opening = (timeoutMs: number, signal: AbortSignal): Promise<unknown> =>
  openSession(HOST, key, silent, timeoutMs, signal).catch((error: unknown) => error);

it('does not wait longer for a stream through a jump host than for a handshake', async () => {
  const error = await opening(20, new AbortController().signal);
  expect(error).toBeInstanceOf(AttemptError);
  expect((error as AttemptError).attempt).toEqual({ kind: 'unreachable', cause: 'no answer' });
});

it('stops waiting for it when the remote is closed', async () => {
  const closing = new AbortController();
  const error = opening(60_000, closing.signal);
  closing.abort();
  expect(await error).toBeInstanceOf(AttemptError);
});

it('does not begin to wait when the remote is closed already', async () => {
  expect(await opening(60_000, AbortSignal.abort())).toBeInstanceOf(AttemptError);
});
