import { sum } from './statistics.js';
import { minus, NO_TRAFFIC, plus, type Traffic, type Window } from './traffic.js';

/** A test that says by how many standard deviations the first histogram lies to the right of the second, were both alike. */
export type Test = (first: readonly number[], second: readonly number[]) => number;

/**
 * How servers with the same release differ by a test, beyond what chance makes of independent answers. A test's information on
 * n and m answers is nm / (n + m); a difference, in standard deviations by the square root of its information.
 */
export interface Dispersion {
  /** By so much the canary differs from the rest all the time, as where its machine is a slower one. */
  readonly bias: number;
  /** Information from which that was learned. */
  readonly information: number;
  /** Of the standard deviations that a test says of a stretch of time; 1 is chance alone. */
  readonly variance: number;
  /** Information in such a stretch. */
  readonly stretch: number;
}

/** Answers are independent of one another, and servers alike. */
export const INDEPENDENT: Dispersion = { bias: 0, information: Infinity, variance: 1, stretch: Infinity };

/** With fewer answers on a side the tests' normal approximations are none. */
const LEAST_ANSWERS = 20;
/** With fewer differences (degrees of freedom) nothing is said of their variance. */
const LEAST_DIFFERENCES = 10;

const informationOf = (n: number, m: number): number => (n * m) / (n + m);

/** Some hosts beside the others, in each stretch of time in which both had enough to do. */
type Comparison = readonly { readonly ours: Traffic; readonly theirs: Traffic }[];

/** All that servers with the same release are compared by. */
export interface Comparisons {
  /** Of each host that can be. */
  readonly each: readonly Comparison[];
  /** Of those of the canary together. */
  readonly canary: Comparison;
}

/** Made once for all tests: sums of traffic take longer than a test. */
export function compare(windows: readonly Window[], isCanary: (address: string) => boolean): Comparisons {
  const stretches = windows.map((window) => ({ window, total: totalOf(window.values()) }));
  const beside = (isOurs: (address: string) => boolean): Comparison =>
    stretches.flatMap(({ window, total }) => {
      const ours = totalOf([...window].filter(([address]) => isOurs(address)).map(([, traffic]) => traffic));
      const theirs = minus(total, ours);
      return Math.min(ours.requests, theirs.requests) < LEAST_ANSWERS ? [] : [{ ours, theirs }];
    });
  const addresses = new Set(windows.flatMap((window) => [...window.keys()]));
  const each = [...addresses].map((one) => beside((address) => address === one));
  return { each: each.filter((own) => own.length > 0), canary: beside(isCanary) };
}

const totalOf = (traffic: Iterable<Traffic>): Traffic => [...traffic].reduce(plus, NO_TRAFFIC);

/**
 * Learns it from the time before a canary, in which all had the same release. Answers of a server are slow in bursts (a queue, a
 * neighbour on its machine), so that those of a short while say less than as many independent ones would: the dispersion of
 * quasi-likelihood (McCullagh & Nelder, Generalized Linear Models, 4.5), estimated by moments as in a random effects
 * meta-analysis (DerSimonian & Laird 1986). Each server is compared with the others, in each stretch of time.
 */
export function dispersionOf(test: Test, compared: Comparisons): Dispersion {
  const each = compared.each.map((own) => differences(test, own));
  const all = each.flat();
  // What is usual of each takes one.
  const free = all.length - each.length;
  if (free < LEAST_DIFFERENCES) return INDEPENDENT;
  const deviations = each.flatMap((own) => {
    const usual = median(own.map(({ size }) => size));
    return own.map(({ size, information }) => (size - usual) ** 2 * information);
  });
  const variance = Math.max(1, sum(deviations) / free);
  const stretch = median(all.map(({ information }) => information));
  const canary = differences(test, compared.canary);
  // It had no traffic before.
  if (canary.length === 0) return { ...INDEPENDENT, variance, stretch };
  const bias = median(canary.map(({ size }) => size));
  return { bias, information: sum(canary.map(({ information }) => information)), variance, stretch };
}

/** A test's standard deviations with what is usual taken off, and by how many times servers differ more than by chance. */
export interface Discounted {
  readonly z: number;
  readonly variation: number;
}

/**
 * What is left of a test's standard deviations, never more than there were.
 *
 * @param z of the canary beside the rest
 * @param n answers of the canary, more than 0
 * @param m answers of the rest, more than 0
 */
export function discount(
  z: number,
  n: number,
  m: number,
  { bias, information: learned, variance, stretch }: Dispersion,
): Discounted {
  const information = informationOf(n, m);
  // Bursts that are longer than a stretch add up, so that more requests make it worse; shorter ones do not get better with fewer.
  const bursts = (variance - 1) * Math.max(1, information / stretch);
  // Of a median the variance is that of a mean times pi / 2, where differences are normally distributed.
  const unsure = (variance * (Math.PI / 2) * information) / learned;
  const variation = Math.sqrt(1 + bursts + unsure);
  return { z: Math.min(z, (z - bias * Math.sqrt(information)) / variation), variation };
}

interface Difference {
  readonly size: number;
  readonly information: number;
}

const differences = (test: Test, comparison: Comparison): Difference[] =>
  comparison.map(({ ours, theirs }) => {
    const information = informationOf(ours.requests, theirs.requests);
    return { size: test(ours.latency, theirs.latency) / Math.sqrt(information), information };
  });

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const [above = 0, below = 0] = [sorted[middle], sorted[middle - 1]];
  return sorted.length % 2 === 1 ? above : (above + below) / 2;
}
