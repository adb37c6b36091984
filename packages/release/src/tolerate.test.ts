import { describe, expect, it } from '@jest/globals';
import { execute, type Handlers, type Journal, noJournal } from '@perlstack/procedure';
import { ConnectError, RemoteError } from '@perlstack/remote';
import type { Host } from '@perlstack/stack';
import type { Hands } from './hands.js';
import { keepOut } from './plan-steps.js';
import type { ReleaseStep } from './steps.js';
import { givingUp, tolerating } from './tolerate.js';

const NAMES = ['app-1', 'app-2', 'app-3'];

/** Hands on hosts of which only the commands are noted; those that are gone can't be reached. */
function handsOn(said: string[], gone: readonly string[] = []): Hands {
  const hosts = (names: string[]) =>
    names.map((name) => ({ name, privateAddress: `10.0.0.${name.at(-1)}` }) as Host);
  const remote = {
    script: async (host: string, _script: string, args: readonly string[] = []) => {
      if (gone.includes(host)) throw new ConnectError(host, 'unreachable', `${host} is gone`);
      said.push(`${host} ${args.join(' ')}`);
      return { code: 0, stdout: '', stderr: '', truncated: false };
    },
  };
  const layout = {
    user: 'shop',
    home: '',
    releases: '',
    current: '',
    socketLink: '',
    runDirectory: '',
    environmentFile: '',
    template: 'shop@.service',
  };
  const site = { appHosts: hosts(NAMES), webHosts: hosts(['web-1']), remote, layout };
  return {
    site: site as unknown as Hands['site'],
    owner: { id: 'run' },
    left: new Map(),
    packs: new Map(),
    back: { at: 0 },
  };
}

const steps = (...hosts: string[]): ReleaseStep[] =>
  hosts.flatMap((host): ReleaseStep[] => [
    { id: `${host}/boot`, kind: 'boot', title: 'boot', host, release: 'r2' },
    { id: `${host}/prove`, kind: 'prove', title: 'prove', host, release: 'r2', after: [`${host}/boot`] },
    { id: `${host}/gate`, kind: 'gate', title: 'gate', host, release: 'r2', after: [`${host}/prove`] },
  ]);

/** Steps that note what they do; those named fail. */
function handlersOf(log: string[], failing: readonly string[]): Handlers<ReleaseStep> {
  const handler = {
    run: async ({ id }: ReleaseStep) => {
      log.push(id);
      if (failing.includes(id)) throw new Error(`${id} is broken`);
    },
    undo: async ({ id }: ReleaseStep) => void log.push(`undo ${id}`),
  };
  const kinds = ['boot', 'prove', 'gate', 'leave-out'].map((kind) => [kind, handler]);
  return Object.fromEntries(kinds) as Handlers<ReleaseStep>;
}

/** @param needed host that may not fail before its step of this id is done */
async function run(
  failing: readonly string[],
  maxFailures: number,
  needed: [string, string[]][] = [],
  { before = [], journal = noJournal }: { before?: ReleaseStep[]; journal?: Journal } = {},
) {
  const [log, said]: [string[], string[]] = [[], []];
  const hands = handsOn(said);
  const tolerance = { maxFailures, needed: new Map(needed), journal, onEvent: () => undefined };
  const outcome = await execute(
    [...before, ...steps(...NAMES)],
    tolerating(handlersOf(log, failing), hands, tolerance),
  );
  return { log, said, hands, outcome };
}

describe('a host that may fail', () => {
  it('is put back, gets no requests, and is not touched any more', async () => {
    const { log, said, hands, outcome } = await run(['app-2/prove'], 1);
    expect(outcome.state).toBe('succeeded');
    expect(log.filter((line) => line.includes('app-2'))).toEqual([
      ...['app-2/boot', 'app-2/prove', 'undo app-2/prove', 'undo app-2/boot'],
    ]);
    expect([...hands.left]).toEqual([['app-2', { reason: 'app-2/prove is broken', restored: true }]]);
    expect(said).toEqual(['web-1 down 10.0.0.2:5000']);
    expect(outcome.changed).toEqual(expect.arrayContaining(['app-1/gate', 'app-3/gate']));
  });

  it('is not put into service by whoever finishes for a killed run, where it was out before', async () => {
    const noted: string[] = [];
    const journal: Journal = { ...noJournal, append: ({ step, state }) => noted.push(`${step.id} ${state}`) };
    await run(['app-2/prove'], 1, [], { before: [keepOut('app-2')], journal });
    expect(noted.at(-1)).toBe('app-2/keep-out started');
  });

  it('is one, where one may', async () => {
    const { outcome } = await run(['app-2/prove', 'app-3/gate'], 1);
    expect(outcome.state).toBe('failed');
  });

  it('is none of those on which the others depend', async () => {
    const { outcome, said } = await run(['app-1/prove'], 1, [['app-1/prove', ['app-1']]]);
    expect(outcome.state).toBe('failed');
    expect(said).toEqual([]);
  });

  it('is one of those on which the others depended', async () => {
    const { outcome, said } = await run(['app-1/prove'], 1, [['app-1/boot', ['app-1']]]);
    expect(outcome.state).toBe('succeeded');
    expect(said).toEqual(['web-1 down 10.0.0.1:5000']);
  });

  it('is none where nobody said so', async () => {
    expect((await run(['app-3/gate'], 0)).outcome.state).toBe('failed');
  });
});

describe('a host that dies when nothing is to be done on it any more', () => {
  /** The look at all hosts fails for as long as one of these is at work. */
  async function hold(
    gone: readonly string[],
    maxFailures: number,
    bad: readonly string[] = gone,
    meanwhile: readonly string[] = [],
  ) {
    const [log, said]: [string[], string[]] = [[], []];
    const hands = handsOn(said, gone);
    const handlers = {
      ...handlersOf(log, []),
      hold: {
        run: async () => {
          const [ill] = bad.filter((host) => !hands.left.has(host));
          for (const host of meanwhile) hands.left.set(host, { reason: 'its drain failed', restored: true });
          if (ill !== undefined) throw new Error(`${ill} does not answer`);
        },
      },
    } as Handlers<ReleaseStep>;
    const tolerance = {
      maxFailures,
      needed: new Map<string, string[]>(),
      journal: noJournal,
      onEvent: () => undefined,
    };
    const after = NAMES.map((name) => `${name}/gate`);
    const last: ReleaseStep = { id: 'hold', kind: 'hold', title: 'hold', release: 'r2', after };
    const outcome = await execute([...steps(...NAMES), last], tolerating(handlers, hands, tolerance));
    return { said, hands, outcome };
  }

  it('is left out by the look at all of them, where it may fail', async () => {
    const { said, hands, outcome } = await hold(['app-1'], 1);
    expect(outcome.state).toBe('succeeded');
    expect([...hands.left]).toEqual([['app-1', { reason: 'app-1 is gone', restored: true }]]);
    expect(said).toContain('web-1 down 10.0.0.1:5000');
  });

  it('is not counted twice when another step failed for it meanwhile', async () => {
    const { hands, outcome } = await hold(['app-1'], 1, ['app-1'], ['app-1']);
    expect(outcome.state).toBe('succeeded');
    expect([...hands.left]).toEqual([['app-1', { reason: 'its drain failed', restored: true }]]);
  });

  it.each([
    ['where none may fail', ['app-1'], 0, ['app-1']],
    ['where more died than may', ['app-1', 'app-3'], 1, ['app-1']],
    ['where it is there, and the release is to blame', [], 1, ['app-1']],
    ['where another one fails that is there', ['app-1'], 1, ['app-1', 'app-2']],
  ])('ends the roll-out %s', async (_what, gone, maxFailures, bad) => {
    const { outcome } = await hold(gone, maxFailures, bad);
    expect(outcome.state).toBe('failed');
  });
});

describe('the undo of a host that is gone', () => {
  const context = { signal: new AbortController().signal, progress: () => undefined };
  const lost = new RemoteError({ host: 'app-1', command: 'x', reason: 'lost', why: 'was lost' });
  const [boot] = steps('app-1') as [ReleaseStep];

  function counting(...errors: Error[]) {
    let tries = 0;
    const undo = async (): Promise<void> => {
      tries += 1;
      const error = errors.shift();
      if (error) throw error;
    };
    const handlers = givingUp({
      boot: { run: async () => undefined, undo },
    } as unknown as Handlers<ReleaseStep>);
    return { undo: () => handlers.boot.undo?.(boot as never, context), tries: () => tries };
  }

  it('is tried once more when only the connection was lost', async () => {
    const { undo, tries } = counting(lost);
    await undo();
    expect(tries()).toBe(2);
  });

  it('is not waited for again, once it is known to be gone', async () => {
    const { undo, tries } = counting(lost, new ConnectError('app-1', 'unreachable', 'gone'));
    await expect(undo()).rejects.toThrow('gone');
    await expect(undo()).rejects.toThrow('gone');
    expect(tries()).toBe(2);
  });
});
