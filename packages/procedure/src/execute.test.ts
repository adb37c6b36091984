import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { execute, undoSteps } from './execute.js';
import { fileJournal, openSteps } from './journal.js';
import type { Handlers, Step } from './step.js';

interface Put extends Step {
  readonly kind: 'put';
  readonly value: string;
  readonly fails?: boolean;
}

const put = (value: string, after: string[] = [], more: Partial<Put> = {}): Put => ({
  id: value,
  kind: 'put',
  title: `put ${value}`,
  value,
  after,
  ...more,
});

/** A world that is a set of values, and handlers that change it. */
function world() {
  const values = new Set<string>();
  const log: string[] = [];
  const handlers: Handlers<Put> = {
    put: {
      check: async (step) => values.has(step.value),
      run: async (step, { signal }) => {
        log.push(`run ${step.value}`);
        await new Promise((resolve) => setTimeout(resolve, 5));
        if (signal.aborted) throw new Error('told to stop');
        if (step.fails) throw new Error(`no room for ${step.value}`);
        values.add(step.value);
        return `now ${values.size}`;
      },
      undo: async (step) => {
        log.push(`undo ${step.value}`);
        values.delete(step.value);
      },
    },
  };
  return { values, log, handlers };
}

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'procedure-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

describe('execute', () => {
  it('runs each step after those it depends on, and others side by side', async () => {
    const { log, handlers } = world();
    const outcome = await execute([put('c', ['a', 'b']), put('a'), put('b')], handlers);
    expect(outcome.state).toBe('succeeded');
    expect(log).toEqual(['run a', 'run b', 'run c']);
    const at = (id: string, state: string) =>
      outcome.events.findIndex((event) => event.step.id === id && event.state === state);
    expect(at('b', 'started')).toBeLessThan(at('a', 'done'));
    expect(at('c', 'started')).toBeGreaterThan(at('b', 'done'));
  });

  it('runs no more steps side by side than asked', async () => {
    let now = 0;
    let most = 0;
    const handlers: Handlers<Put> = {
      put: {
        run: async () => {
          most = Math.max(most, (now += 1));
          await new Promise((resolve) => setTimeout(resolve, 2));
          now -= 1;
        },
      },
    };
    await execute(
      ['a', 'b', 'c', 'd', 'e'].map((value) => put(value)),
      handlers,
      { concurrency: 2 },
    );
    expect(most).toBe(2);
  });

  it('changes nothing the second time', async () => {
    const { handlers, log } = world();
    const plan = [put('a'), put('b', ['a'])];
    await execute(plan, handlers);
    const second = await execute(plan, handlers);
    expect(second.changed).toEqual([]);
    expect(second.events.map((event) => event.state)).toEqual(['skipped', 'skipped']);
    expect(log).toHaveLength(2);
  });

  it('stops at a failure and undoes what was started, last first', async () => {
    const { values, log, handlers } = world();
    const plan = [put('a'), put('b', ['a']), put('c', ['b'], { fails: true }), put('d', ['c'])];
    const outcome = await execute(plan, handlers, { onFailure: 'undo' });
    expect(outcome.state).toBe('failed');
    expect(outcome.failures.map(({ step, error }) => [step.id, (error as Error).message])).toEqual([
      ['c', 'no room for c'],
    ]);
    expect(log).toEqual(['run a', 'run b', 'run c', 'undo c', 'undo b', 'undo a']);
    expect(values.size).toBe(0);
  });

  it('counts one failure when others stop because of it', async () => {
    const { handlers } = world();
    const quick: Handlers<Put> = {
      put: {
        run: async (step, context) =>
          step.fails ? Promise.reject(new Error('first')) : handlers.put.run(step, context),
      },
    };
    const outcome = await execute([put('slow'), put('bad', [], { fails: true })], quick);
    expect(outcome.failures.map(({ step }) => step.id)).toEqual(['bad']);
  });

  it('keeps on undoing when one undo fails, and says which', async () => {
    const { values, handlers } = world();
    const stubborn: Handlers<Put> = {
      put: {
        ...handlers.put,
        undo: async (step, context) => {
          if (step.value === 'b') throw new Error('b is stuck');
          await handlers.put.undo?.(step, context);
        },
      },
    };
    const outcome = await execute([put('a'), put('b', ['a']), put('c', ['b'], { fails: true })], stubborn, {
      onFailure: 'undo',
    });
    expect(outcome.undoFailures.map(({ step }) => step.id)).toEqual(['b']);
    expect([...values]).toEqual(['b']);
  });

  it('starts nothing more once cancelled', async () => {
    const { log, handlers } = world();
    const cancel = new AbortController();
    const outcome = await execute([put('a'), put('b', ['a'])], handlers, {
      signal: cancel.signal,
      onFailure: 'undo',
      onEvent: (event) => {
        if (event.state === 'started') cancel.abort();
      },
    });
    expect(outcome.state).toBe('cancelled');
    expect(outcome.failures).toEqual([]);
    expect(log).toEqual(['run a', 'undo a']);
  });

  it.each([
    ['an id twice', [put('a'), put('a')], 'holds "a" twice'],
    ['an unknown predecessor', [put('a', ['x'])], 'after "x"'],
    ['a circle', [put('a', ['b']), put('b', ['a'])], 'circular'],
  ])('refuses a plan with %s before it runs', async (_what, plan, message) => {
    const { log, handlers } = world();
    await expect(execute(plan, handlers)).rejects.toThrow(message);
    expect(log).toEqual([]);
  });
});

describe('the journal', () => {
  it('tells another process what to undo, last first', async () => {
    const path = join(folder, 'journal');
    const { handlers, values, log } = world();
    const journal = fileJournal(path);
    await execute([put('a'), put('b', ['a']), put('c', ['b'], { fails: true })], handlers, { journal });
    const open = openSteps<Put>(path);
    expect(open.map((step) => step.id)).toEqual(['c', 'b', 'a']);
    await undoSteps(open, handlers, { journal });
    expect(values.size).toBe(0);
    expect(log.slice(-3)).toEqual(['undo c', 'undo b', 'undo a']);
    expect(openSteps(path)).toEqual([]);
  });

  it('is settled by a run that held', async () => {
    const path = join(folder, 'journal');
    await execute([put('a')], world().handlers, { journal: fileJournal(path) });
    expect(openSteps(path)).toEqual([]);
  });

  it('ignores a last line that a kill cut short', () => {
    const path = join(folder, 'journal');
    fileJournal(path).append({ step: put('a'), state: 'started' });
    writeFileSync(path, `${readFileSync(path, 'utf8')}{"step":{"id":"b"`);
    expect(openSteps(path).map((step) => step.id)).toEqual(['a']);
  });
});
