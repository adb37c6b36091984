import { describe, expect, it } from '@jest/globals';
import { judgeCanary, LOOKS, NOTHING_USUAL, usualOf } from './judge.js';
import { bucketOf, NO_TRAFFIC, plus, type Traffic, type Window } from './traffic.js';

// Jest looks a global up in its own context each time, which took most of the time here.
const { floor, imul } = Math;

/** mulberry32: random numbers that are the same in every run. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = imul(state ^ (state >>> 15), 1 | state);
    t = (t + imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** How an application behaves: the share of requests that fail, and as many times as there are, in buckets, to draw from. */
interface Behaviour {
  readonly errors: number;
  readonly buckets: readonly number[];
}

type Times = (next: () => number) => number;

/** Times whose logarithm is normally distributed, as those of web pages nearly are (Box-Muller); in milliseconds. */
const lognormal =
  (medianMs: number, sigma: number): Times =>
  (next) =>
    medianMs * Math.exp(sigma * Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next()));

/** One page in ten is a slow one. */
const mixed =
  (quick: Times, slow: Times): Times =>
  (next) =>
    next() < 0.1 ? slow(next) : quick(next);

/** Applications of several kinds, and how they are where everything takes so many times as long, or slow pages alone do. */
const KINDS: Readonly<Record<string, (all: number, slow: number) => Times>> = {
  steady: (all) => lognormal(40 * all, 0.5),
  quick: (all) => lognormal(12 * all, 0.6),
  'with slow pages': (all, slow) => mixed(lognormal(25 * all, 0.4), lognormal(300 * all * slow, 0.4)),
};

/** The same random numbers for each, so that two behaviours differ by their times alone; nginx notes whole milliseconds. */
function behaves(errors: number, times: Times): Behaviour {
  const next = random(3);
  return { errors, buckets: Array.from({ length: 20_000 }, () => bucketOf(Math.round(times(next)))) };
}

/** Requests to one server among three in two minutes, at 25 a second to all of them. */
const TWO_MINUTES = 1_000;
/** Stretches of the time before, each as long as a bake; and how many bakes have the same. */
const BEFORE = 20;
const SHARE_BEFORE = 60;

/**
 * How a server is at a time, in buckets by which its answers take longer: whatever it runs.
 *
 * @param server 0 is the canary's
 */
type Machine = (next: () => number, server: number) => () => number;

const quiet: Machine = () => () => 0;

/** How much longer, in buckets. */
const times = (factor: number): number => bucketOf(1_000 * factor) - bucketOf(1_000);

/** The canary's machine is always a fifth slower. */
const uneven: Machine = (_next, server) => () => (server === 0 ? times(1.2) : 0);

/**
 * Each server is up to several times as slow for a while and then for another while as quick, with nothing to do with what it runs:
 * an autoregressive process of the logarithm (half of it is left after some 20 requests), as queues make it where a processor has
 * more to do than it can.
 */
const bursts: Machine = (next) => {
  let state = 0;
  return () => {
    state = 0.965 * state + 0.17 * Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());
    return Math.round(16 * state);
  };
};

function served(
  next: () => number,
  requests: number,
  { errors, buckets }: Behaviour,
  slower: () => number,
): Traffic {
  const latency: number[] = Array.from({ length: 400 }, () => 0);
  let failed = 0;
  for (let one = 0; one < requests; one += 1) {
    if (next() < errors) failed += 1;
    const bucket = Math.max(0, (buckets[floor(next() * buckets.length)] ?? 0) + slower());
    latency[bucket] = (latency[bucket] ?? 0) + 1;
  }
  return { requests, errors: failed, latency };
}

const SERVERS = ['canary', 'second', 'third'];

/** Whether bakes with all their looks, one after the other, take the canary back; each server gets so many requests in each. */
function stopped(
  bakes: number,
  canary: Behaviour,
  rest: Behaviour,
  requests: number,
  machine: Machine,
): boolean[] {
  const next = random(7);
  const slower = SERVERS.map((_, server) => machine(next, server));
  const all = (count: number, ours: Behaviour): Traffic[] =>
    slower.map((one, server) => served(next, count, server === 0 ? ours : rest, one));
  const window = (): Window =>
    new Map(all(requests, rest).map((traffic, server) => [SERVERS[server] ?? '', traffic]));
  let usual = NOTHING_USUAL;
  return Array.from({ length: bakes }, (_, bake) => {
    // To draw it anew for each takes most of the time here.
    if (bake % SHARE_BEFORE === 0)
      usual = usualOf(Array.from({ length: BEFORE }, window), (address) => address === 'canary');
    let [ours, theirs] = [NO_TRAFFIC, NO_TRAFFIC];
    return LOOKS.some((spend) => {
      const [first = NO_TRAFFIC, ...others] = all(requests / LOOKS.length, canary);
      ours = plus(ours, first);
      theirs = others.reduce(plus, theirs);
      return judgeCanary(ours, theirs, spend, usual).decision === 'roll-back';
    });
  });
}

function shareStopped(
  bakes: number,
  canary: Behaviour,
  rest: Behaviour,
  { requests = TWO_MINUTES, machine = quiet }: { requests?: number; machine?: Machine } = {},
): number {
  return stopped(bakes, canary, rest, requests, machine).filter(Boolean).length / bakes;
}

/** What a bake decides of seeded traffic. */
describe.each(Object.entries(KINDS))('an application that is %s', (_kind, kind) => {
  const was = kind(1, 1);
  const before = behaves(0.001, was);

  it.each([
    ['never fails', 0],
    ['fails now and then', 0.001],
    ['fails often', 0.03],
  ])('and %s goes back at most once in a hundred when it is as before', (_how, errors) => {
    const same = behaves(errors, was);
    expect(shareStopped(300, same, same)).toBeLessThanOrEqual(0.01);
  });

  it.each<[string, Behaviour]>([
    ['fails in 2 of 100', behaves(0.02, was)],
    ['takes 30 % longer', behaves(0.001, kind(1.3, 1))],
  ])('and now %s is stopped 95 times in 100 or more', (_what, now) => {
    expect(shareStopped(100, now, before)).toBeGreaterThanOrEqual(0.95);
  });
});

it('an application whose slow pages alone take 30 % longer is stopped 95 times in 100 or more, in twice the time', () => {
  const kind = KINDS['with slow pages']!;
  const [now, before] = [behaves(0.001, kind(1, 1.3)), behaves(0.001, kind(1, 1))];
  expect(shareStopped(100, now, before, { requests: 2 * TWO_MINUTES })).toBeGreaterThanOrEqual(0.95);
});

/** What is known of the time before keeps a good release from being blamed for its machine. */
describe.each<[string, Machine]>([
  ['one machine is slower than the others', uneven],
  ['machines are slow in bursts', bursts],
])('where %s', (_what, machine) => {
  const kind = KINDS['steady']!;
  const [before, now] = [behaves(0.001, kind(1, 1)), behaves(0.001, kind(2, 1))];

  it('a release that is as before goes back at most once in a hundred', () => {
    expect(shareStopped(300, before, before, { machine })).toBeLessThanOrEqual(0.01);
  });

  it('one that takes twice as long is stopped 95 times in 100 or more', () => {
    expect(shareStopped(100, now, before, { machine })).toBeGreaterThanOrEqual(0.95);
  });
});
