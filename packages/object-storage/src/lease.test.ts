import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import { StorageError } from './errors.js';
import { md5Hex } from './integrity.js';
import { acquireLease, type Holder, type LeaseOptions, releaseLease } from './lease.js';
import type { PutOptions, Storage } from './storage.js';

const KEY = 'shop/lease.json';
const TTL_MS = 60_000;
const NOW = Date.parse('2026-01-01T12:00:00Z');

/** One object with conditional writes; test/src/storage.test.ts has the races on real storage. */
class OneObject {
  content: string | null = null;
  skewMs = 0;
  /** What happens to the next write: refused before, or its answer lost after, it took place. */
  next: 'unreachable' | 'taken over' | 'answer lost' | 'answer lost, tried again' | null = null;

  /** Whether the next read fails. */
  unreadable = false;

  get etag(): string {
    return md5Hex(Buffer.from(this.content ?? ''));
  }

  get holder(): Holder {
    return JSON.parse(this.content ?? 'null') as Holder;
  }

  storage(): Storage {
    const storage: Pick<Storage, 'put' | 'get' | 'clockSkewMs'> = {
      clockSkewMs: async () => this.skewMs,
      get: async () => {
        if (this.unreadable) {
          this.unreadable = false;
          throw new StorageError('unreachable', 'away');
        }
        return this.content === null ? null : { content: Buffer.from(this.content), etag: this.etag };
      },
      put: async (_key, content, { ifMatch, ifNoneMatch }: PutOptions = {}) => {
        const { next } = this;
        this.next = null;
        if (next === 'unreachable') throw new StorageError('unreachable', 'away');
        if (next === 'taken over') throw new StorageError('exists', 'taken', 412);
        const fits = ifNoneMatch ? this.content === null : ifMatch === this.etag;
        if (!fits) throw new StorageError('exists', 'taken', 412);
        this.content = String(content);
        if (next === 'answer lost') throw new StorageError('unreachable', 'away');
        if (next === 'answer lost, tried again') throw new StorageError('exists', 'taken', 412);
        return { etag: this.etag };
      },
    };
    return storage as Storage;
  }
}

let there: OneObject;
let now: number;
beforeEach(() => {
  there = new OneObject();
  now = NOW;
  jest.spyOn(Date, 'now').mockImplementation(() => now);
});

const take = (more: Partial<LeaseOptions> = {}) =>
  acquireLease(there.storage(), KEY, { purpose: 'backup', owner: 'run 1', ttlMs: TTL_MS, ...more });

describe('acquireLease', () => {
  it('notes who holds it, since when and how long', async () => {
    const { holder } = await take();
    expect(there.holder).toEqual(holder);
    expect(holder).toMatchObject({
      ...{ purpose: 'backup', owner: 'run 1' },
      ...{ since: '2026-01-01T12:00:00.000Z', until: '2026-01-01T12:01:00.000Z' },
    });
  });

  it('refuses a second one, and says who has it', async () => {
    await take();
    const second = take({ purpose: 'restore', owner: 'run 2' });
    await expect(second).rejects.toMatchObject({ kind: 'exists' });
    await expect(second).rejects.toThrow(
      'A backup is under way since 2026-01-01T12:00:00.000Z (run 1): wait for it to end; if it was killed, its lease ends at 2026-01-01T12:01:00.000Z',
    );
    expect(there.holder.owner).toBe('run 1');
  });

  it('takes over what has run out, and not before, as exact as the storage tells the time', async () => {
    await take();
    now = NOW + TTL_MS + 1_999;
    await expect(take({ owner: 'run 2' })).rejects.toMatchObject({ kind: 'exists' });
    now = NOW + TTL_MS + 2_000;
    await take({ owner: 'run 2' });
    expect(there.holder.owner).toBe('run 2');
  });

  it("goes by the storage's clock, whatever this machine's says", async () => {
    there.skewMs = -3_600_000;
    expect((await take()).holder.since).toBe('2026-01-01T11:00:00.000Z');
    // Another machine, whose clock is right: by its own, the lease would have run out long ago.
    there.skewMs = 0;
    now = NOW - 3_600_000 + 1_000;
    await expect(take()).rejects.toMatchObject({ kind: 'exists' });
  });

  it.each(['', '{', '[]', 'null', '{"nonce":1}', '{"nonce":"a","until":"soon"}'])(
    'takes over what is no lease: %p',
    async (content) => {
      there.content = content;
      await take();
      expect(there.holder.owner).toBe('run 1');
    },
  );

  it('lets one of several win that saw the same', async () => {
    const storage = there.storage();
    const held = await Promise.allSettled(
      Array.from({ length: 8 }, (_, n) =>
        acquireLease(storage, KEY, { purpose: 'backup', owner: `run ${n}`, ttlMs: TTL_MS }),
      ),
    );
    expect(held.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  });

  it.each(['answer lost', 'answer lost, tried again'] as const)(
    'knows its own write again: %s',
    async (next) => {
      there.next = next;
      const lease = await take();
      expect(there.holder).toEqual(lease.holder);
      await lease.renew();
      await lease.release();
    },
  );

  it('does not hold what it could not write', async () => {
    there.next = 'unreachable';
    await expect(take()).rejects.toMatchObject({ kind: 'unreachable' });
    expect(there.content).toBeNull();
  });
});

describe('a lease', () => {
  it('is renewed for another span, by the same holder', async () => {
    const lease = await take();
    const { nonce, since } = lease.holder;
    now = NOW + 40_000;
    await lease.renew();
    expect(there.holder).toMatchObject({ nonce, since, until: '2026-01-01T12:01:40.000Z' });
    expect(lease.holder).toEqual(there.holder);
    now = NOW + TTL_MS + 10_000;
    await expect(take({ owner: 'run 2' })).rejects.toMatchObject({ kind: 'exists' });
  });

  it('that somebody else took over is neither renewed nor given back', async () => {
    const lease = await take();
    now = NOW + 2 * TTL_MS;
    const other = await take({ owner: 'run 2' });
    await expect(lease.renew()).rejects.toThrow(/under way since .* \(run 2\)/);
    await expect(lease.release()).rejects.toMatchObject({ kind: 'exists' });
    expect(there.holder).toEqual(other.holder);
  });

  it('that is given back is free at once', async () => {
    const lease = await take();
    await lease.release();
    await take({ owner: 'run 2' });
    expect(there.holder.owner).toBe('run 2');
  });

  it('is renewed after a renewal of which nobody knows what came of it', async () => {
    const lease = await take();
    now += 1_000;
    there.next = 'answer lost';
    there.unreadable = true;
    await expect(lease.renew()).rejects.toMatchObject({ kind: 'unreachable' });
    now += 1_000;
    await lease.renew();
    expect(there.holder.until).toBe('2026-01-01T12:01:02.000Z');
    await lease.release();
  });

  it('is renewed and given back also when an answer is lost', async () => {
    const lease = await take();
    now += 1_000;
    there.next = 'answer lost, tried again';
    await lease.renew();
    there.next = 'answer lost';
    await lease.release();
    expect(Date.parse(there.holder.until)).toBe(0);
  });
});

describe('releaseLease', () => {
  it('frees what another process of the run took', async () => {
    const { holder } = await take();
    await releaseLease(there.storage(), KEY, holder.nonce);
    await take({ owner: 'run 2' });
    expect(there.holder.owner).toBe('run 2');
  });

  it('leaves what somebody else holds, and what is not there', async () => {
    await releaseLease(there.storage(), KEY, 'a nonce');
    expect(there.content).toBeNull();
    const { holder } = await take();
    await releaseLease(there.storage(), KEY, 'a nonce');
    expect(there.holder).toEqual(holder);
  });

  it('leaves it also when it is taken over at the same moment', async () => {
    const { holder } = await take();
    there.next = 'taken over';
    await releaseLease(there.storage(), KEY, holder.nonce);
    expect(there.holder).toEqual(holder);
    there.next = 'unreachable';
    await expect(releaseLease(there.storage(), KEY, holder.nonce)).rejects.toMatchObject({
      kind: 'unreachable',
    });
  });
});
