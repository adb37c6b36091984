import { markdownTable, runAction } from '@perlstack/action';
import { gate, type Verdict } from '@perlstack/health';
import { formatDuration, UserError } from '@perlstack/stack';
import { declaration } from './declaration.js';
import { probesFrom } from './probes.js';

void runAction({
  name: 'health-gate',
  declaration,
  main: async ({ inputs, log, reporter, output, signal }) => {
    const verdict = await gate({
      probes: probesFrom(inputs),
      successes: inputs.successes,
      intervalMs: inputs.interval,
      perTryTimeoutMs: inputs['try-timeout'],
      timeoutMs: inputs.timeout,
      signal,
      onTry: (evidence, number) =>
        evidence.forEach(({ probe, seen, ms }) =>
          log.info(`${number}. ${probe}: ${seen} (${formatDuration(ms)})`),
        ),
    });
    signal.throwIfAborted();
    output('passed', verdict.passed);
    output('verdict', verdict);
    reporter.section({ title: 'Last evidence', body: evidenceTable(verdict) });
    if (!verdict.passed) throw new UserError(`The gate is closed: ${verdict.reason}`);
    reporter.verdict(`The gate is open: ${verdict.reason}.`);
  },
});

function evidenceTable({ evidence }: Verdict): string {
  const rows = evidence.map(({ probe, seen, ok, ms }) => [
    probe,
    seen,
    ok ? 'healthy' : 'not healthy',
    formatDuration(ms),
  ]);
  return markdownTable(['Probe', 'Answer', 'Verdict', 'Time'], rows, ['l', 'l', 'l', 'r']);
}
