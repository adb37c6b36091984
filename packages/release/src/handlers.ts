import { createReadStream } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { gate, type GateOptions, succeeded, type Verdict } from '@perlstack/health';
import type { Handler, Handlers, StepContext } from '@perlstack/procedure';
import { RemoteError, type RunOptions } from '@perlstack/remote';
import { UserError } from '@perlstack/stack';
import { type Owner, releaseLock } from './lease.js';
import * as scripts from './scripts.js';
import { type Site, socketProbe, upstreamAddress, upstreamProbe } from './site.js';
import type {
  BootStep,
  CompileStep,
  DrainStep,
  FinishStep,
  GateStep,
  HoldStep,
  LockStep,
  ProveStep,
  PutBackStep,
  ReleaseStep,
  RestartStep,
  SwitchStep,
  TakeOutStep,
  UploadStep,
} from './steps.js';

/** A release that did not do as it should: what it wrote last comes with it. */
export class ReleaseFault extends Error {
  override readonly name = 'ReleaseFault';
  /** The last lines of the unit's journal, or of the compiler. */
  readonly evidence: readonly string[];

  constructor(message: string, evidence: readonly string[]) {
    super(message);
    this.evidence = evidence;
  }
}

/** What handlers need besides the site. */
export interface Hands {
  readonly site: Site;
  readonly owner: Owner;
  /** The artifact's file; not needed to undo. */
  readonly artifact?: string;
  /** Told how many requests were cut off when an instance stopped. */
  readonly onCut?: (host: string, requests: number) => void;
}

/** What each kind of step does on the hosts. */
export function handlers(hands: Hands): Handlers<ReleaseStep> {
  return {
    upload: uploading(hands),
    compile: compiling(hands),
    boot: booting(hands),
    prove: proving(hands),
    switch: switching(hands),
    gate: gating(hands),
    drain: draining(hands),
    'take-out': takingOut(hands),
    restart: restarting(hands),
    'put-back': puttingBack(hands),
    hold: holding(hands),
    finish: finishing(hands),
    lock: locking(hands),
  };
}

const SHORT_MS = 30_000;
const BOOT_LIMIT = { timeoutMs: 2 * 60_000 };

/** Runs one of our scripts on a host as root. */
async function act(
  { site }: Hands,
  host: string,
  [name, script]: readonly [string, string],
  args: readonly string[],
  { signal }: Pick<StepContext, 'signal'>,
  more: RunOptions = {},
): Promise<string> {
  const options = { sudo: true, name, timeoutMs: SHORT_MS, signal, ...more };
  return (await site.remote.script(host, scripts.hostScript(site, script), args, options)).stdout.trim();
}

function uploading(hands: Hands): Handler<UploadStep> {
  return {
    run: async ({ host, release, sha256 }, context) => {
      if (hands.artifact === undefined) throw new Error('Uploading needs the artifact');
      const input = createReadStream(hands.artifact);
      try {
        await act(hands, host, ['upload', scripts.UPLOAD], [release, sha256], context, {
          input,
          timeoutMs: 15 * 60_000,
        });
      } finally {
        input.destroy();
      }
      return `${(input.bytesRead / 1024 ** 2).toFixed(1)} MiB`;
    },
  };
}

const EVIDENCE_LINES = 20;

function compiling(hands: Hands): Handler<CompileStep> {
  const { app, timings } = hands.site;
  return {
    run: async ({ host, release }, context) => {
      const args = [release, String(Math.ceil(timings.compileMs / 1_000)), app.psgi, ...app.lib];
      const limit = { timeoutMs: timings.compileMs + SHORT_MS };
      try {
        await act(hands, host, ['compile check', scripts.COMPILE], args, context, limit);
      } catch (error) {
        if (!(error instanceof RemoteError) || error.reason !== 'exit') throw error;
        const lines = linesOf(error.stderr);
        const first = lines[0] ?? `no word within ${timings.compileMs / 1_000} s`;
        throw new ReleaseFault(
          `${host}: ${app.psgi} of ${release} does not compile: ${first}`,
          lines.slice(-EVIDENCE_LINES),
        );
      }
    },
  };
}

const linesOf = (text: string): string[] => text.split('\n').filter((line) => line.trim() !== '');

function booting(hands: Hands): Handler<BootStep> {
  return {
    run: async ({ host, release }, context) => {
      await act(hands, host, ['boot', scripts.BOOT], [release], context, BOOT_LIMIT);
    },
    undo: async ({ host, release }, context) => {
      const left = await drain(hands, host, [release], '', context);
      await stop(hands, host, [release], context);
      return left > 0 ? `stopped with ${left} requests in flight` : 'stopped';
    },
  };
}

function proving(hands: Hands): Handler<ProveStep> {
  const { site } = hands;
  return {
    run: async ({ host, release }, context) => {
      const fault = async (): Promise<string | undefined> =>
        (await act(hands, host, ['looking at the unit', scripts.BOOT_FAULT], [release], context)) ||
        undefined;
      return pass(hands, host, release, {
        probes: [socketProbe(site, host, release)],
        successes: site.app.health.successes,
        timeoutMs: site.app.health.timeout,
        signal: context.signal,
        giveUp: fault,
      });
    },
  };
}

function switching(hands: Hands): Handler<SwitchStep> {
  return {
    run: async ({ host, release, from }, context) => {
      await act(hands, host, ['switch', scripts.SWITCH], [release, from ?? ''], context);
    },
    undo: async ({ host, from, previous }, context) => {
      if (from !== null) {
        await act(hands, host, ['switch back', scripts.SWITCH_BACK], [from, previous ?? ''], context);
        await revive(hands, host, from, context);
      }
      return pointBack(hands, host, from, previous, context);
    },
  };
}

async function pointBack(
  hands: Hands,
  host: string,
  from: string | null,
  previous: string | null,
  context: StepContext,
): Promise<string> {
  const script = from === null ? scripts.UNSWITCH : scripts.SWITCH;
  await act(hands, host, ['switch back', script], from === null ? [] : [from, previous ?? ''], context);
  return from === null ? 'no release serves' : `back to ${from}`;
}

/** The release that a host goes back to runs and answers: usually it does, as it was parked. */
async function revive(hands: Hands, host: string, release: string, context: StepContext): Promise<void> {
  const { site } = hands;
  await act(hands, host, ['boot', scripts.BOOT], [release], context, BOOT_LIMIT);
  const timeoutMs = site.app.health.timeout;
  const probes = [socketProbe(site, host, release)];
  await pass(hands, host, release, { probes, successes: 1, timeoutMs, signal: context.signal });
}

/** So many failures in a row are no hiccup: the release had proven itself a moment ago, and now users see it fail. */
const MOST_FAILURES = 5;

function gating(hands: Hands): Handler<GateStep> {
  const { site } = hands;
  return {
    run: async ({ host, release }, { signal }) => {
      await sleep(site.timings.settleMs, undefined, { signal });
      const [web] = site.webHosts;
      let failures = 0;
      return pass(hands, host, release, {
        probes: web ? [upstreamProbe(site, host, release, web.name)] : [],
        successes: site.app.health.successes,
        timeoutMs: site.timings.gateMs,
        signal,
        onTry: (one) => void (failures = succeeded(one) ? 0 : failures + 1),
        giveUp: async () => (failures >= MOST_FAILURES ? `${failures} failures in a row` : undefined),
      });
    },
  };
}

function holding(hands: Hands): Handler<HoldStep> {
  const { site } = hands;
  return {
    run: async ({ release }, { signal }) => {
      const probes = site.webHosts.flatMap((web) =>
        site.appHosts.map((app) => ({
          ...upstreamProbe(site, app.name, release, web.name),
          name: `${app.name} (asked by ${web.name})`,
        })),
      );
      await pass(hands, site.lockHost, release, {
        probes,
        successes: 1,
        timeoutMs: site.timings.gateMs,
        signal,
      });
      return `${site.appHosts.length} app hosts seen from ${site.webHosts.length} web hosts`;
    },
  };
}

/** Lets a release pass the gate, or says what it showed and wrote last. */
async function pass(hands: Hands, host: string, release: string, options: GateOptions): Promise<string> {
  const { remote, timings } = hands.site;
  const verdict: Verdict = await gate({ intervalMs: timings.intervalMs, remote, ...options });
  if (verdict.passed) return verdict.reason;
  if (options.signal?.aborted) throw new Error('told to stop');
  const blamed = blamedHost(hands.site, verdict) ?? host;
  const lines = await journalOf(hands, blamed, release);
  throw new ReleaseFault(`${blamed}: ${release} is not healthy: ${verdict.reason}`, lines);
}

/** The app host whose probe failed, where one gate looks at several. */
function blamedHost(site: Site, { evidence }: Verdict): string | undefined {
  const failed = evidence.find(({ ok }) => !ok)?.probe ?? '';
  return site.appHosts.find(({ name }) => failed.startsWith(`${name} `))?.name;
}

async function journalOf(hands: Hands, host: string, release: string): Promise<readonly string[]> {
  const { signal } = new AbortController();
  const args = [release, String(EVIDENCE_LINES)];
  // Evidence is a courtesy: that it cannot be had must not hide the fault itself.
  return act(hands, host, ['journal', scripts.JOURNAL_TAIL], args, { signal }).then(linesOf, () => []);
}

function draining(hands: Hands): Handler<DrainStep> {
  return {
    run: async ({ host, releases, port }, context) => {
      const left = await drain(hands, host, releases, port ? portOf(hands.site, host) : '', context);
      return left === 0 ? '0 left' : `${left} left after ${hands.site.app.drainTimeout / 1_000} s`;
    },
  };
}

const portOf = (site: Site, host: string): string => /\d+$/.exec(upstreamAddress(site, host))?.[0] ?? '';

async function drain(
  hands: Hands,
  host: string,
  releases: readonly string[],
  port: string,
  context: Pick<StepContext, 'signal'>,
): Promise<number> {
  const limit = hands.site.app.drainTimeout;
  const args = [String(limit), port, ...releases];
  return Number(
    await act(hands, host, ['drain', scripts.DRAIN], args, context, { timeoutMs: limit + SHORT_MS }),
  );
}

/** How long an instance may take to stop: its unit's own limit, and some. */
const stopLimit = (site: Site, instances: number): number =>
  (site.app.drainTimeout + SHORT_MS) * Math.max(1, instances);

async function stop(
  hands: Hands,
  host: string,
  releases: readonly string[],
  context: Pick<StepContext, 'signal'>,
): Promise<void> {
  const limit = { timeoutMs: stopLimit(hands.site, releases.length) };
  const script = scripts.STOP + scripts.REPORT_CUT;
  const cut = Number(await act(hands, host, ['stop', script], releases, context, limit));
  if (cut > 0) hands.onCut?.(host, cut);
}

function takingOut(hands: Hands): Handler<TakeOutStep> {
  return {
    run: ({ host }, context) => setServer(hands, host, 'down', context),
    undo: ({ host }, context) => setServer(hands, host, 'up', context),
  };
}

function puttingBack(hands: Hands): Handler<PutBackStep> {
  return {
    run: ({ host }, context) => setServer(hands, host, 'up', context),
    // The undo of the restart before it needs a host that is out of service and quiet.
    undo: async ({ host }, context) => {
      await setServer(hands, host, 'down', context);
      const left = await drain(hands, host, [], portOf(hands.site, host), context);
      return left > 0 ? `${left} requests still in flight` : 'drained';
    },
  };
}

async function setServer(
  hands: Hands,
  host: string,
  want: 'up' | 'down',
  context: StepContext,
): Promise<string> {
  const address = upstreamAddress(hands.site, host);
  const script = ['nginx upstream', scripts.SET_SERVER] as const;
  await Promise.all(hands.site.webHosts.map((web) => act(hands, web.name, script, [want, address], context)));
  return `${want} on ${hands.site.webHosts.map((web) => web.name).join(', ')}`;
}

function restarting(hands: Hands): Handler<RestartStep> {
  const stopAll = async (host: string, context: StepContext): Promise<void> => {
    const limit = { timeoutMs: stopLimit(hands.site, 2) };
    const cut = Number(await act(hands, host, ['stop', scripts.STOP_ALL], [], context, limit));
    if (cut > 0) hands.onCut?.(host, cut);
  };
  return {
    run: async ({ host, release, from }, context) => {
      await stopAll(host, context);
      await act(hands, host, ['boot', scripts.BOOT], [release], context, BOOT_LIMIT);
      await act(hands, host, ['switch', scripts.SWITCH], [release, from ?? ''], context);
    },
    undo: async ({ host, from, previous }, context) => {
      await stopAll(host, context);
      if (from !== null) await revive(hands, host, from, context);
      return pointBack(hands, host, from, previous, context);
    },
  };
}

function finishing(hands: Hands): Handler<FinishStep> {
  return {
    run: async ({ host, release, stop: old, remove }, context) => {
      const args = [release, String(old.length), ...old, ...remove];
      const limit = { timeoutMs: stopLimit(hands.site, old.length) };
      const cut = Number(await act(hands, host, ['finish', scripts.FINISH], args, context, limit));
      if (cut > 0) hands.onCut?.(host, cut);
      const removed = remove.length > 0 ? `${remove.length} removed` : '';
      return [cut > 0 ? `${cut} requests cut` : '', removed].filter(Boolean).join(', ');
    },
  };
}

function locking(hands: Hands): Handler<LockStep> {
  return {
    run: () => Promise.reject(new UserError('the lock is taken before a plan is made')),
    undo: () => releaseLock(hands.site, hands.owner),
  };
}

/** Marks a release that failed, on every host that has it, so that nobody goes back to it. */
export async function markBad(hands: Hands, release: string): Promise<void> {
  const { signal } = new AbortController();
  const marks = hands.site.appHosts.map((host) =>
    act(hands, host.name, ['mark', scripts.MARK_BAD], [release], { signal }),
  );
  await Promise.allSettled(marks);
}
