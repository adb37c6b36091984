import { describe, expect, it } from '@jest/globals';
import { balance, Ledger } from './load-ledger.js';

describe('Ledger', () => {
  it('counts since the start and since each mark', () => {
    const ledger = new Ledger();
    ledger.ended('get', 5, undefined);
    ledger.mark('r2');
    ledger.sent('a');
    ledger.ended('post', 7.4, undefined, 'a');
    ledger.ended('get', 1, { kind: 'get', url: 'http://web/', at: '', ms: 1, fault: 'status 502' });
    expect(ledger.since('r2')).toMatchObject({ requests: 2, failed: 1, failures: [{ fault: 'status 502' }] });
    expect(ledger.since('r2').byKind.post).toEqual({ ok: 1, failed: 0, slowestMs: 7 });
    expect(ledger.since()).toMatchObject({ requests: 3, failed: 1 });
    expect(() => ledger.since('r3')).toThrow('No mark "r3"');
  });

  it('keeps account of every POST', () => {
    const ledger = new Ledger();
    for (const id of ['a', 'b', 'c']) ledger.sent(id);
    ledger.ended('post', 1, undefined, 'a');
    ledger.ended('post', 1, { kind: 'post', url: '', at: '', ms: 1, fault: 'reset', id: 'b' }, 'b');
    expect(ledger.account()).toEqual({ acknowledged: ['a'], unanswered: ['b', 'c'] });
  });
});

describe('balance', () => {
  it.each([
    ['all well', ['a', 'b'], [], ['b', 'a', 'other'], { executed: 2, lost: [], doubled: [], unclear: [] }],
    ['a lost order', ['a', 'b'], [], ['a'], { executed: 1, lost: ['b'], doubled: [], unclear: [] }],
    ['a doubled order', ['a'], [], ['a', 'a'], { executed: 1, lost: [], doubled: ['a'], unclear: [] }],
    [
      'an order without an answer',
      [],
      ['a', 'b'],
      ['a'],
      { executed: 1, lost: [], doubled: [], unclear: ['a'] },
    ],
    [
      'a doubled one without an answer',
      [],
      ['a'],
      ['a', 'a'],
      { executed: 1, lost: [], doubled: ['a'], unclear: ['a'] },
    ],
  ])('shows %s', (_what, acknowledged, unanswered, journal, expected) => {
    expect(balance({ acknowledged, unanswered }, journal)).toEqual({
      acknowledged: acknowledged.length,
      ...expected,
    });
  });
});
