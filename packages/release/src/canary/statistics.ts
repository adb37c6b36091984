/**
 * ln n! by Stirling's series (Abramowitz & Stegun 6.1.41 for n + 1), by summation where n is small; exact to 1e-10.
 */
export function lnFactorial(n: number): number {
  if (n < 16) {
    let sum = 0;
    for (let factor = 2; factor <= n; factor += 1) sum += Math.log(factor);
    return sum;
  }
  const z = n + 1;
  return (
    (z - 0.5) * Math.log(z) -
    z +
    0.5 * Math.log(2 * Math.PI) +
    1 / (12 * z) -
    1 / (360 * z ** 3) +
    1 / (1260 * z ** 5)
  );
}

const lnChoose = (n: number, k: number): number => lnFactorial(n) - lnFactorial(k) - lnFactorial(n - k);

/** In how many of all something happened. */
interface Hits {
  readonly hits: number;
  readonly all: number;
}

/**
 * Fisher's exact test, one-sided: the probability of at least so many of all hits in the first group, were both groups alike.
 * Right for any size, unlike tests by the normal distribution, which fail where hits are rare, as errors are.
 */
export function fisherGreater(first: Hits, second: Hits): number {
  const hits = first.hits + second.hits;
  const all = first.all + second.all;
  const whole = lnChoose(all, hits);
  let p = 0;
  for (let k = first.hits; k <= Math.min(first.all, hits); k += 1) {
    if (hits - k > second.all) continue;
    const term = Math.exp(lnChoose(first.all, k) + lnChoose(second.all, hits - k) - whole);
    p += term;
    // Behind the mode the terms only shrink: the rest changes no digit that anybody reads.
    if (term < p * 1e-12 && k > (first.all * hits) / Math.max(1, all)) break;
  }
  return Math.min(1, p);
}

/**
 * Mann-Whitney U test on histograms with the same buckets: by how many standard deviations the first is to the right (slower) of
 * what it would be were both alike; 0 where there is nothing to compare. Free of any assumption on the distribution; normal
 * approximation with the correction for ties, which a bucket is (Lehmann, Nonparametrics, 1.2 and 1.4), for 20 values or more
 * on both sides.
 */
export function mannWhitney(first: readonly number[], second: readonly number[]): number {
  const [n, m] = [sum(first), sum(second)];
  if (n === 0 || m === 0) return 0;
  let [below, u, ties] = [0, 0, 0];
  for (let bucket = 0; bucket < Math.max(first.length, second.length); bucket += 1) {
    const [a, b] = [first[bucket] ?? 0, second[bucket] ?? 0];
    u += a * (below + b / 2);
    below += b;
    ties += (a + b) ** 3 - (a + b);
  }
  const total = n + m;
  const variance = ((n * m) / 12) * (total + 1 - ties / (total * (total - 1)));
  return variance <= 0 ? 0 : (u - (n * m) / 2 - 0.5) / Math.sqrt(variance);
}

/**
 * How many of two histograms with the same buckets lie beyond a quantile of the second. Of a longer tail ranks as a whole say
 * little; this is the control median test (Mathisen 1943) for any quantile: that at least k of the first lie beyond the value with
 * s values of the second behind it says that of the k + s largest of both at least k are of the first, for Fisher's test.
 */
export function tailHits(
  first: readonly number[],
  second: readonly number[],
  share: number,
): readonly [Hits, Hits] {
  const from = beyond(second, share);
  return [
    { hits: sum(first.slice(from)), all: sum(first) },
    { hits: sum(second.slice(from)), all: sum(second) },
  ];
}

/** Of what lies beyond a quantile of the second, how much farther out the first lies, by the Mann-Whitney test; 0 where there is little. */
export function tailReach(first: readonly number[], second: readonly number[], share: number): number {
  const from = beyond(second, share);
  const [ours, theirs] = [first.slice(from), second.slice(from)];
  return Math.min(sum(ours), sum(theirs)) < LEAST_FOR_RANKS ? 0 : mannWhitney(ours, theirs);
}

const beyond = (counts: readonly number[], share: number): number => quantileBucket(counts, share) + 1;

/**
 * By how many standard deviations hits are likelier in the first group: the logarithm of the odds ratio (Woolf 1955, with half a hit
 * more everywhere, Haldane 1956). As likely to be so much below as above, unlike the share of hits, which ends at none.
 */
export function oddsDeviation(first: Hits, second: Hits): number {
  const cells = [first.hits, second.all - second.hits, first.all - first.hits, second.hits].map(
    (n) => n + 0.5,
  );
  const [a = 1, d = 1, b = 1, c = 1] = cells;
  return Math.log((a * d) / (b * c)) / Math.sqrt(cells.reduce((variance, n) => variance + 1 / n, 0));
}

/** With fewer values on a side the normal approximation of the Mann-Whitney test is none. */
const LEAST_FOR_RANKS = 20;

export const sum = (counts: readonly number[]): number => counts.reduce((all, one) => all + one, 0);

/** Upper tail of the normal distribution (Abramowitz & Stegun 26.2.17, error below 7.5e-8). */
export function upperTail(z: number): number {
  if (z < 0) return 1 - upperTail(-z);
  const t = 1 / (1 + 0.2316419 * z);
  const series =
    t * (0.31938153 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))));
  return (Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI)) * series;
}

/** The bucket in which a share (0 to 1) of a histogram ends; -1 for an empty one. */
export function quantileBucket(counts: readonly number[], share: number): number {
  const wanted = Math.ceil(sum(counts) * share);
  if (wanted === 0) return -1;
  let seen = 0;
  return counts.findIndex((count) => (seen += count) >= wanted);
}
