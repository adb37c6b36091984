import { setTimeout as sleep } from 'node:timers/promises';
import { terminalTable } from '@perlstack/action';
import { fileJournal } from '@perlstack/procedure';
import { batchSizes, deploy, type DeployOptions, type DeployResult } from '@perlstack/release';
import { type LoadHandle, startLoad } from '../load-handle.js';
import { FULL_SPEED } from '../load-run.js';
import { openSite, type Site } from '../release-site.js';
import { type Fault, packShop } from '../shop.js';
import { atLeast, atMost, type BenchmarkReport } from './report.js';

const REQUESTS = 200_000;
/** The load ends here however few requests it made. */
const MOST_SECONDS = 1_500;

interface Trial {
  readonly what: string;
  readonly fault?: Fault;
  readonly more?: Partial<DeployOptions>;
  /** Step and state at which the deploy is told to stop, or its process dies. */
  readonly cancelAt?: string;
  readonly dieAt?: string;
  readonly rollback?: true;
  readonly expected: DeployResult['outcome'];
}

/** In one round, everything that can become of a deploy. */
const ROUND: readonly Trial[] = [
  { what: 'one after the other', expected: 'succeeded' },
  { what: 'does not compile', fault: 'broken-syntax', expected: 'rolled-back' },
  { what: 'all at once', more: { batch: batchSizes('100%') }, expected: 'succeeded' },
  { what: 'dies while it loads', fault: 'dies', expected: 'rolled-back' },
  { what: 'cancelled in the middle', cancelAt: 'app-2/switch started', expected: 'cancelled' },
  {
    what: 'a canary, then the rest',
    more: { canary: { hosts: 1, bakeMs: 5_000, slowdown: 1.15 } },
    expected: 'succeeded',
  },
  { what: 'ill as soon as it serves', fault: 'unhealthy-later', expected: 'rolled-back' },
  { what: 'killed in the middle, and started again', dieAt: 'app-2/switch done', expected: 'succeeded' },
  { what: 'one after the other', expected: 'succeeded' },
  { what: 'rollback', rollback: true, expected: 'succeeded' },
];

interface Outcome {
  readonly what: string;
  readonly outcome: string;
  readonly expected: string;
  readonly seconds: number;
  readonly requests: number;
  readonly failed: number;
}

/**
 * Ten deploys of every kind under a mixed load, again and again until there were 200,000 requests: none may fail, no POST may be
 * lost or carried out twice. Three app hosts and one web host of the local cloud; clients keep their connections.
 */
export async function benchTorture(): Promise<BenchmarkReport> {
  const site = await openSite(3, { workers: 24 });
  try {
    return await torture(site);
  } finally {
    await site.close();
  }
}

async function torture(site: Site): Promise<BenchmarkReport> {
  const tried = new Trials(site);
  await tried.run({ what: 'first', expected: 'succeeded' });
  const clients = { get: 14, post: 10, 'slow-get': 4, 'slow-post': 4 };
  const settings = {
    urls: [site.url],
    clients,
    ...FULL_SPEED,
    prefix: `t${Date.now()}`,
    slowMs: 500,
    maxSeconds: MOST_SECONDS,
  };
  const load = startLoad(settings, (argv) => site.cloud.inInternet(argv));
  try {
    const outcomes = await rounds(tried, load);
    const end = await load.stop();
    const { lost, doubled, acknowledged } = await load.balance(await site.orders());
    process.stdout.write(`${tableOf(outcomes)}\n\n`);
    end.failures.forEach((failure) => process.stdout.write(`${JSON.stringify(failure)}\n`));
    const wrong = outcomes.filter(({ outcome, expected }) => outcome !== expected).length;
    return {
      rows: [
        { name: 'requests', unit: 'count', ours: end.requests },
        { name: 'orders acknowledged', unit: 'count', ours: acknowledged },
        { name: 'deploys', unit: 'count', ours: outcomes.length },
        { name: 'rate', unit: 'requests/s', ours: end.requests / end.seconds },
        {
          name: 'slowest fast request',
          unit: 'ms',
          ours: Math.max(end.byKind.get.slowestMs, end.byKind.post.slowestMs),
        },
      ],
      goals: [
        atLeast('requests', REQUESTS, end.requests),
        atLeast('deploys', ROUND.length, outcomes.length),
        atMost('outcomes other than expected', 0, wrong),
        atMost('failed requests', 0, end.failed),
        atMost('lost POSTs', 0, lost.length),
        atMost('POSTs carried out twice', 0, doubled.length),
      ],
    };
  } finally {
    await load.close();
  }
}

async function rounds(tried: Trials, load: LoadHandle): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  const begun = performance.now();
  for (let turn = 0; ; turn += 1) {
    const { requests } = await load.snapshot();
    const time = (performance.now() - begun) / 1_000;
    if (turn >= ROUND.length && (requests >= REQUESTS || time > MOST_SECONDS - 60)) return outcomes;
    const trial = ROUND[turn % ROUND.length] as Trial;
    const mark = `trial ${turn}`;
    await load.mark(mark);
    const { outcome, reason, seconds } = await tried.run(trial);
    await sleep(500);
    const { requests: during, failed } = await load.since(mark);
    outcomes.push({ what: trial.what, outcome, expected: trial.expected, seconds, requests: during, failed });
    process.stdout.write(
      `${turn + 1}. ${trial.what}: ${outcome} (${seconds.toFixed(1)} s, ${during} requests, ${failed} failed)\n`,
    );
    if (outcome !== trial.expected)
      process.stdout.write(`   not ${trial.expected}: ${reason ?? 'no reason'}\n`);
  }
}

/** What came of one deploy, and why, in its own words. */
type Ended = Pick<DeployResult, 'reason'> & { readonly outcome: string };

class Trials {
  readonly #site: Site;
  #number = 0;

  constructor(site: Site) {
    this.#site = site;
  }

  async run(trial: Trial): Promise<Ended & { readonly seconds: number }> {
    const start = performance.now();
    const ended = await (trial.dieAt === undefined
      ? this.#deploy(trial)
      : this.#killed(trial.dieAt).then((outcome) => ({ outcome })));
    return { ...ended, seconds: (performance.now() - start) / 1_000 };
  }

  async #pack(fault: Fault = 'none'): Promise<{ release: string; path: string }> {
    const release = `t${(this.#number += 1)}`;
    return { release, path: await packShop({ release, fault, bootMs: 300, directory: this.#site.folder }) };
  }

  async #deploy({ fault, more, cancelAt, rollback }: Trial): Promise<Ended> {
    const { stack, inventory, remote } = this.#site;
    const cancel = new AbortController();
    const { release, path } = await this.#pack(fault);
    return deploy({
      ...{ stack, inventory, remote, owner: { id: 'torture' }, journal: fileJournal(this.#site.journal()) },
      ...(rollback ? {} : { release, artifact: { path } }),
      signal: cancel.signal,
      onEvent: ({ step, state }) => {
        if (`${step.id} ${state}` === cancelAt) cancel.abort();
      },
      ...more,
    });
  }

  /** Dies by SIGKILL half way, and is run again by the same run. */
  async #killed(dieAt: string): Promise<string> {
    const { release, path } = await this.#pack();
    const order = { release, artifact: path, owner: 'torture', journal: this.#site.journal() };
    const { killed } = await this.#site.process({ ...order, dieAt });
    if (!killed) return 'not killed';
    const { output } = await this.#site.process(order);
    return /"outcome":"([a-z-]+)"/.exec(output)?.[1] ?? output.slice(-300);
  }
}

function tableOf(outcomes: readonly Outcome[]): string {
  const rows = outcomes.map(({ what, outcome, seconds, requests, failed }) => [
    what,
    outcome,
    `${seconds.toFixed(1)} s`,
    requests,
    failed,
  ]);
  return terminalTable(['Deploy', 'Outcome', 'Time', 'Requests', 'Failed'], rows, ['l', 'l', 'r', 'r', 'r']);
}
