import {
  compare,
  discount,
  type Discounted,
  type Dispersion,
  dispersionOf,
  INDEPENDENT,
  type Test,
} from './dispersion.js';
import {
  fisherGreater,
  mannWhitney,
  oddsDeviation,
  quantileBucket,
  tailHits,
  tailReach,
  upperTail,
} from './statistics.js';
import { boundOf, type Traffic, type Window } from './traffic.js';

export interface CanarySettings {
  /** Chance of rolling a release back that is as good as the one before, over the whole bake. */
  readonly alpha: number;
  /** With fewer requests to the canary, or to the rest, times are not judged. */
  readonly minRequests: number;
  /** Errors beyond the rest's, as a share of requests (0 to 1), that are tolerated however certain they are. */
  readonly errorMargin: number;
  /** So many times as slow (median or 95th percentile) it has to be, besides being slower for certain. */
  readonly slowdown: number;
}

export const CANARY: CanarySettings = {
  alpha: 0.01,
  minRequests: 50,
  errorMargin: 0.001,
  slowdown: 1.15,
};

/** What one side of the comparison showed; times in milliseconds, null without requests. */
export interface Figures {
  readonly requests: number;
  readonly errors: number;
  readonly p50: number | null;
  readonly p95: number | null;
  readonly p99: number | null;
}

export interface CanaryVerdict {
  readonly decision: 'promote' | 'roll-back' | 'too-little-traffic';
  readonly canary: Figures;
  readonly rest: Figures;
  /** Probability from equals: of so many more errors, of answers so much slower, of a tail so much longer. */
  readonly errorP: number;
  readonly latencyP: number;
  readonly tailP: number;
  /** So many times as much as by chance do the servers' times differ from one another by themselves, in as many requests. */
  readonly variation: number;
  /** In one sentence, with the figures. */
  readonly reason: string;
}

/**
 * The looks of a bake, by the share of alpha that each may spend: a bad release goes back at the next look, not at the end, and
 * the last one, which sees all requests, has as much as the others together.
 */
export const LOOKS: readonly number[] = [1 / 8, 1 / 8, 1 / 8, 1 / 8, 1 / 2];

/** Tests a look, which share what it may spend. */
const TESTS = 3;
const TAIL = 0.95;
/** From so many times on it is told by how much servers differ by themselves. */
const NOTABLE = 1.5;
/** Where the slow answers begin among which a longer tail is looked for. */
const TAIL_FROM = 0.9;

/** How servers with the same release differ: in all times, in how many answers are in the tail, and in how far. */
export interface Usual {
  readonly latency: Dispersion;
  readonly many: Dispersion;
  readonly far: Dispersion;
}

const DEVIATIONS: Readonly<Record<keyof Usual, Test>> = {
  latency: mannWhitney,
  many: (first, second) => oddsDeviation(...tailHits(first, second, TAIL_FROM)),
  far: (first, second) => tailReach(first, second, TAIL_FROM),
};

export const NOTHING_USUAL: Usual = { latency: INDEPENDENT, many: INDEPENDENT, far: INDEPENDENT };

/** Learns it from stretches of time in which all had the same release. */
export function usualOf(windows: readonly Window[], isCanary: (address: string) => boolean): Usual {
  const compared = compare(windows, isCanary);
  const of = (test: Test): Dispersion => dispersionOf(test, compared);
  return { latency: of(DEVIATIONS.latency), many: of(DEVIATIONS.many), far: of(DEVIATIONS.far) };
}

/**
 * Compares the hosts that have the new release with those that have the old one, both under the same traffic at the same
 * time: errors by Fisher's exact test, times by the Mann-Whitney test, which sees when all answers are slower, and by a test of
 * the tail, which sees when only the slow ones are. All tests of all looks share alpha (Bonferroni), so that looking often does
 * not find what is not there. As in Netflix's and Google's Kayenta, significance alone does not condemn: the difference must
 * also matter. Errors are judged however few requests there are, times only from `minRequests` on either side, and
 * discounted by what is usual, since answers are not independent of one another, nor servers alike, as the tests take them for.
 *
 * @param spend share of alpha that this look may spend, as in `LOOKS`
 * @param usual how the servers differed before
 */
export function judgeCanary(
  canary: Traffic,
  rest: Traffic,
  spend: number,
  usual: Usual,
  settings: CanarySettings = CANARY,
): CanaryVerdict {
  const errorP = fisherGreater(
    { hits: canary.errors, all: canary.requests },
    { hits: rest.errors, all: rest.requests },
  );
  const enough = Math.min(canary.requests, rest.requests) >= settings.minRequests;
  const times = enough ? timesOf(canary, rest, usual) : { latencyP: 1, tailP: 1, variation: 1 };
  const { latencyP, tailP } = times;
  const figures = { canary: figuresOf(canary), rest: figuresOf(rest), errorP, ...times };
  const charges = [
    { what: 'more errors', p: errorP, matters: rateOf(canary) - rateOf(rest) > settings.errorMargin },
    { what: 'slower', p: latencyP, matters: isSlower(canary, rest, 0.5, settings.slowdown) },
    { what: 'longer in the tail', p: tailP, matters: isSlower(canary, rest, TAIL, settings.slowdown) },
  ];
  const threshold = (settings.alpha * spend) / TESTS;
  const proven = charges.filter(({ p, matters }) => matters && p < threshold);
  const usually =
    times.variation < NOTABLE
      ? ''
      : `, where servers differ ${times.variation.toFixed(1)} times as much as by chance`;
  const comparison = `${describe(figures.canary)} beside ${describe(figures.rest)} of the rest${usually}`;
  if (proven.length > 0) {
    const blame = proven.map(({ what, p }) => `${what} (p = ${shown(p)})`).join(' and ');
    return { decision: 'roll-back', ...figures, reason: `${blame}: ${comparison}` };
  }
  if (!enough) {
    const reason = `too little traffic to judge (${describe(figures.canary)} beside ${describe(figures.rest)})`;
    return { decision: 'too-little-traffic', ...figures, reason };
  }
  const odds = `p = ${shown(errorP)} for errors, ${shown(latencyP)} for latency, ${shown(tailP)} for its tail`;
  return { decision: 'promote', ...figures, reason: `no worse: ${comparison} (${odds})` };
}

/** The tests of times; of the two of the tail one that is sure is enough, so the smaller probability counts twice (Bonferroni). */
function timesOf(
  canary: Traffic,
  rest: Traffic,
  usual: Usual,
): Pick<CanaryVerdict, 'latencyP' | 'tailP' | 'variation'> {
  const left = (kind: keyof Usual): Discounted =>
    discount(DEVIATIONS[kind](canary.latency, rest.latency), canary.requests, rest.requests, usual[kind]);
  const [latency, many, far] = [left('latency'), left('many'), left('far')];
  const exact = fisherGreater(...tailHits(canary.latency, rest.latency, TAIL_FROM));
  return {
    latencyP: upperTail(latency.z),
    tailP: Math.min(1, 2 * Math.min(Math.max(exact, upperTail(many.z)), upperTail(far.z))),
    variation: Math.max(latency.variation, many.variation, far.variation),
  };
}

const rateOf = ({ requests, errors }: Traffic): number => (requests === 0 ? 0 : errors / requests);

/** Whether a quantile of the first is more than `slowdown` times that of the second. */
function isSlower(canary: Traffic, rest: Traffic, share: number, slowdown: number): boolean {
  const [ours, theirs] = [quantile(canary, share), quantile(rest, share)];
  return ours !== null && theirs !== null && ours > theirs * slowdown;
}

/** Milliseconds, at the upper bound of the bucket; null without requests. */
function quantile({ latency }: Traffic, share: number): number | null {
  const bucket = quantileBucket(latency, share);
  return bucket < 0 ? null : boundOf(bucket);
}

function figuresOf(traffic: Traffic): Figures {
  const { requests, errors } = traffic;
  return {
    ...{ requests, errors },
    ...{ p50: quantile(traffic, 0.5), p95: quantile(traffic, TAIL), p99: quantile(traffic, 0.99) },
  };
}

function describe({ requests, errors, p95 }: Figures): string {
  const share = requests === 0 ? '' : ` (${((100 * errors) / requests).toFixed(2)} %)`;
  return `${errors} errors in ${requests} requests${share}, p95 ${p95 === null ? '–' : `${Math.round(p95)} ms`}`;
}

const shown = (p: number): string => (p < 0.0001 ? '< 0.0001' : p.toFixed(4));
