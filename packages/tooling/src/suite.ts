export interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

export interface Verdict extends Counts {
  /** Faults, one text each, to be said again at the end of a long run, where one looks first. */
  readonly faults?: readonly string[];
}

/** A part of `npm test`: a check of the repository, which counts as one test, or a jest project. */
export interface Suite {
  readonly name: string;
  readonly run: () => Promise<Verdict>;
}

export interface SuiteResult extends Verdict {
  readonly name: string;
  readonly seconds: number;
}

/** A check counts as one test: it passes when it finds no fault, and its faults are printed. */
export function check(name: string, find: () => Promise<readonly string[]>): Suite {
  return {
    name,
    run: async () => {
      const faults = await find();
      for (const fault of faults) console.error(fault);
      return faults.length === 0
        ? { passed: 1, failed: 0, skipped: 0 }
        : { passed: 0, failed: 1, skipped: 0, faults };
    },
  };
}

/**
 * Checks that begin together, when the first of them is run, for each alone leaves the machine idle much of the time. Each
 * is still reported below its own headline, with the seconds that it was waited for after the one before.
 */
export function sideBySide(finds: Readonly<Record<string, () => Promise<readonly string[]>>>): Suite[] {
  const works = Object.entries(finds).map(([name, find]) => {
    let begun: Promise<readonly string[]> | undefined;
    return { name, begin: () => (begun ??= find()) };
  });
  return works.map(({ name, begin }) =>
    check(name, () => {
      // One that breaks is told of when its turn comes.
      for (const work of works) work.begin().catch(() => undefined);
      return begin();
    }),
  );
}

export function sum(counts: readonly Counts[]): Counts {
  return counts.reduce(
    (all, one) => ({
      passed: all.passed + one.passed,
      failed: all.failed + one.failed,
      skipped: all.skipped + one.skipped,
    }),
    { passed: 0, failed: 0, skipped: 0 },
  );
}

/** Runs suites one after another, each below its headline; one that breaks counts as a failure. */
export async function runSuites(suites: readonly Suite[], signal: AbortSignal): Promise<SuiteResult[]> {
  const results: SuiteResult[] = [];
  for (const { name, run } of suites) {
    if (signal.aborted) break;
    console.error(`\n== ${name}`);
    const started = performance.now();
    const verdict: Verdict = await run().catch((error: unknown) => {
      console.error(error);
      return { passed: 0, failed: 1, skipped: 0, faults: [String(error)] };
    });
    const seconds = (performance.now() - started) / 1000;
    console.error(`   ${countsLine(verdict)} (${seconds.toFixed(1)} s)`);
    results.push({ name, seconds, ...verdict });
  }
  return results;
}

/** What failed, suite by suite, for the end of a run whose output is longer than anybody reads; empty without a fault. */
export function faultLines(results: readonly SuiteResult[]): string {
  return results
    .flatMap(({ name, faults = [] }) => faults.map((fault) => `\n== failed in ${name}\n${fault}`))
    .join('\n');
}

/** The line that `npm test` ends with. */
export function countsLine({ passed, failed, skipped }: Counts): string {
  return `${passed} passed, ${failed} failed, ${skipped} skipped`;
}
