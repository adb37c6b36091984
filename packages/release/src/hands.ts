import { gate, type GateOptions, type Verdict } from '@perlstack/health';
import type { StepContext } from '@perlstack/procedure';
import type { RunOptions } from '@perlstack/remote';
import type { Host } from '@perlstack/stack';
import type { AuditEntry } from './audit.js';
import type { CanaryVerdict } from './canary/judge.js';
import type { Owner } from './lease.js';
import * as scripts from './scripts.js';
import type { Site } from './site.js';

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

/** An app host that a deploy goes on without. */
export interface LeftOut {
  readonly reason: string;
  /** It runs what it ran before: it may serve again should the others go back too. */
  readonly restored: boolean;
}

/** What handlers need besides the site. */
export interface Hands {
  readonly site: Site;
  readonly owner: Owner;
  /** The artifact's file; not needed to undo. */
  readonly artifact?: string;
  /** App hosts that the deploy goes on without, and why. */
  readonly left: Map<string, LeftOut>;
  /** When an app host took connections again last, or may have, by `performance.now()`. */
  readonly back: { at: number };
  /** SHA-256 of the packed modules, by key, as the host that has them said it. */
  readonly packs: Map<string, string>;
  /** The log of deploys before this run; of interest to a canary alone. */
  readonly audit?: readonly AuditEntry[];
  /** Told at every look what the canary showed. */
  readonly onCanary?: (verdict: CanaryVerdict) => void;
  /** Told how many requests were cut off when an instance stopped. */
  readonly onCut?: (host: string, requests: number) => void;
}

/** App hosts on which the release is to serve. */
export const hostsAtWork = ({ site, left }: Hands): Host[] =>
  site.appHosts.filter(({ name }) => !left.has(name));

/** Limit of scripts that have nothing to wait for, in milliseconds. */
export const SHORT_MS = 30_000;
/** Of the way of a release to a host, from the first byte to the last. */
export const ARRIVAL_LIMIT = { timeoutMs: 15 * 60_000 };
export const BOOT_LIMIT = { timeoutMs: 2 * 60_000 };

/** Runs one of our scripts on a host as root. */
export async function act(
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

/** How many of the last lines of a log are evidence. */
export const EVIDENCE_LINES = 20;

export const linesOf = (text: string): string[] => text.split('\n').filter((line) => line.trim() !== '');

/** Lets a release pass the gate, or says what it showed and wrote last. */
export async function pass(
  hands: Hands,
  host: string,
  release: string,
  options: GateOptions,
): Promise<string> {
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
