import { fisherGreater, mannWhitneyGreater, quantileBucket } from './statistics.js';
import { boundOf, type Traffic } from './traffic.js';

export interface CanarySettings {
  /** Chance of rolling a release back that is as good as the one before, over the whole bake. */
  readonly alpha: number;
  /** With fewer requests to the canary, or to the rest, nothing is judged. */
  readonly minRequests: number;
  /** Errors beyond the rest's, as a share of requests (0 to 1), that are tolerated however certain they are. */
  readonly errorMargin: number;
  /** So much slower (median or 95th percentile) it has to be, besides being slower for certain. */
  readonly slowdown: number;
}

export const DEFAULT_CANARY: CanarySettings = {
  alpha: 0.01,
  minRequests: 50,
  errorMargin: 0.001,
  slowdown: 1.5,
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
  /** Probability of so many more errors, and of so much slower answers, from equals. */
  readonly errorP: number;
  readonly latencyP: number;
  /** In one sentence, with the figures. */
  readonly reason: string;
}

/**
 * Compares the hosts that have the new release with those that have the old one, both under the same traffic at the same
 * time. Two tests, repeated at every look, share alpha evenly (Bonferroni), so that looking often does not find what is not
 * there. As in Netflix's and Google's Kayenta, significance alone does not condemn: the difference must also matter.
 *
 * @param looks how often this is asked in the course of one bake
 */
export function judgeCanary(
  canary: Traffic,
  rest: Traffic,
  looks: number,
  settings: CanarySettings = DEFAULT_CANARY,
): CanaryVerdict {
  const errorP = fisherGreater(
    { hits: canary.errors, all: canary.requests },
    { hits: rest.errors, all: rest.requests },
  );
  const latencyP = mannWhitneyGreater(canary.latency, rest.latency);
  const figures = { canary: figuresOf(canary), rest: figuresOf(rest), errorP, latencyP };
  const threshold = settings.alpha / (2 * looks);
  const worse = rateOf(canary) - rateOf(rest) > settings.errorMargin && errorP < threshold;
  const slower = latencyP < threshold && isSlower(canary, rest, settings.slowdown);
  const enough = Math.min(canary.requests, rest.requests) >= settings.minRequests;
  if (!enough) {
    const reason = `too little traffic to judge (${describe(figures.canary)} beside ${describe(figures.rest)})`;
    return { decision: 'too-little-traffic', ...figures, reason };
  }
  const comparison = `${describe(figures.canary)} beside ${describe(figures.rest)} of the rest`;
  const blame = [
    ...(worse ? [`more errors (p = ${shown(errorP)})`] : []),
    ...(slower ? [`slower (p = ${shown(latencyP)})`] : []),
  ];
  if (blame.length > 0) {
    return { decision: 'roll-back', ...figures, reason: `${blame.join(' and ')}: ${comparison}` };
  }
  const odds = `p = ${shown(errorP)} for errors, ${shown(latencyP)} for latency`;
  return { decision: 'promote', ...figures, reason: `no worse: ${comparison} (${odds})` };
}

const rateOf = ({ requests, errors }: Traffic): number => (requests === 0 ? 0 : errors / requests);

function isSlower(canary: Traffic, rest: Traffic, slowdown: number): boolean {
  return [0.5, 0.95].some((share) => {
    const [ours, theirs] = [quantile(canary, share), quantile(rest, share)];
    return ours !== null && theirs !== null && ours > theirs * slowdown;
  });
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
    ...{ p50: quantile(traffic, 0.5), p95: quantile(traffic, 0.95), p99: quantile(traffic, 0.99) },
  };
}

function describe({ requests, errors, p95 }: Figures): string {
  const share = requests === 0 ? '' : ` (${((100 * errors) / requests).toFixed(2)} %)`;
  return `${errors} errors in ${requests} requests${share}, p95 ${p95 === null ? '–' : `${Math.round(p95)} ms`}`;
}

const shown = (p: number): string => (p < 0.0001 ? '< 0.0001' : p.toFixed(4));
