export interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

/** A part of `npm test`: a check of the repository, which counts as one test, or a jest project. */
export interface Suite {
  readonly name: string;
  readonly run: () => Promise<Counts>;
}

export interface SuiteResult extends Counts {
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
        : { passed: 0, failed: 1, skipped: 0 };
    },
  };
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
    const counts = await run().catch((error: unknown) => {
      console.error(error);
      return { passed: 0, failed: 1, skipped: 0 };
    });
    const seconds = (performance.now() - started) / 1000;
    console.error(`   ${countsLine(counts)} (${seconds.toFixed(1)} s)`);
    results.push({ name, seconds, ...counts });
  }
  return results;
}

/** The line that `npm test` ends with. */
export function countsLine({ passed, failed, skipped }: Counts): string {
  return `${passed} passed, ${failed} failed, ${skipped} skipped`;
}
