import { describe, expect, it } from '@jest/globals';
import { type Attempt, attemptOf, connectError, pauseBeforeRetry } from './failure.js';
import { testHost } from './testing.js';

const offered = { type: 'ssh-ed25519', fingerprint: `SHA256:${'A'.repeat(43)}` };

describe('attemptOf', () => {
  it.each<[string, object, Attempt['kind']]>([
    [
      'a refused key',
      { level: 'client-authentication', message: 'All configured authentication methods failed' },
      'refused',
    ],
    ['no banner', { level: 'protocol', message: 'Connection lost before handshake' }, 'lost'],
    [
      'a silent server',
      { level: 'client-timeout', message: 'Timed out while waiting for handshake' },
      'lost',
    ],
    ['a reset', { level: 'client-socket', code: 'ECONNRESET', message: 'read ECONNRESET' }, 'lost'],
    ['a close in the handshake', { message: 'No response from server' }, 'lost'],
    [
      'a refused connection',
      { level: 'client-socket', code: 'ECONNREFUSED', message: 'connect ECONNREFUSED' },
      'unreachable',
    ],
    ['an unknown name', { code: 'ENOTFOUND', message: 'getaddrinfo ENOTFOUND' }, 'unreachable'],
    [
      'no common algorithm',
      { level: 'handshake', message: 'no matching key exchange algorithm' },
      'incompatible',
    ],
  ])('reads %s', (_, error, kind) => {
    expect(attemptOf(error, undefined).kind).toBe(kind);
  });

  it('puts a host key that was turned down before everything else', () => {
    const error = { level: 'handshake', message: 'Host denied (verification failed)' };
    expect(attemptOf(error, offered)).toEqual({ kind: 'wrong-host-key', offered });
  });
});

describe('pauseBeforeRetry', () => {
  const fresh = { lost: 0, elapsedMs: 0, refusedMs: 0 };
  const lost: Attempt = { kind: 'lost', cause: '' };
  const unreachable: Attempt = { kind: 'unreachable', cause: '' };
  const refused: Attempt = { kind: 'refused' };

  it.each<[string, Attempt, Partial<typeof fresh>, number, number | null]>([
    ['a lost handshake, soon', lost, {}, 0, 150],
    ['a lost handshake, later each time', lost, { lost: 3 }, 0, 1200],
    ['but never very late', lost, { lost: 7 }, 0, 2000],
    ['not for ever', lost, { lost: 8 }, 0, null],
    ['once more a host that was silent', lost, { elapsedMs: 10_000 }, 0, 150],
    ['and not a third time', lost, { lost: 1, elapsedMs: 20_000 }, 0, null],
    ['unless the host is booting', lost, { lost: 8 }, 60_000, 2000],
    ['no silent host', unreachable, {}, 0, null],
    ['a booting host', unreachable, { elapsedMs: 59_000 }, 60_000, 2000],
    ['no host that took too long to boot', unreachable, { elapsedMs: 60_000 }, 60_000, null],
    ['no refused key', refused, {}, 0, null],
    ['a refused key on a booting host', refused, { elapsedMs: 5000 }, 60_000, 2000],
    ['but not for the whole boot', refused, { elapsedMs: 40_000, refusedMs: 30_000 }, 60_000, null],
    ['never a wrong host key', { kind: 'wrong-host-key', offered }, {}, 60_000, null],
    ['never one without a common algorithm', { kind: 'incompatible', cause: '' }, {}, 60_000, null],
  ])('tries %s', (_, attempt, history, waitMs, pause) => {
    expect(
      pauseBeforeRetry(attempt, { ...fresh, ...history }, { waitMs, handshakeTimeoutMs: 10_000 }, 1),
    ).toBe(pause);
  });

  it('spreads the pauses over their second half', () => {
    expect(pauseBeforeRetry(lost, fresh, { waitMs: 0, handshakeTimeoutMs: 10_000 }, 0)).toBe(75);
  });
});

describe('connectError', () => {
  const host = testHost('app-1', {
    address: '10.0.0.2',
    hostKeys: [`SHA256:${'B'.repeat(43)}`],
    via: 'web-1',
  });

  it.each<[Attempt, string]>([
    [
      { kind: 'unreachable', cause: 'no answer' },
      'app-1 (10.0.0.2 port 22 through web-1) cannot be reached for 5 s: no answer. ',
    ],
    [{ kind: 'lost', cause: 'gone' }, 'its firewall lets "web-1" in on port 22'],
    [
      { kind: 'refused' },
      'the SSH key does not fit: app-1 (10.0.0.2 port 22 through web-1) refused ssh-ed25519 SHA256:AAA',
    ],
    [{ kind: 'incompatible', cause: 'no common cipher' }, 'the SSH handshake failed: no common cipher'],
    [
      { kind: 'wrong-host-key', offered },
      `offered ssh-ed25519 ${offered.fingerprint}, but the inventory accepts only SHA256:BBB`,
    ],
  ])('says what to do about %j', (attempt, message) => {
    expect(connectError(host, offered, attempt, 5000).message).toContain(message);
  });
});
