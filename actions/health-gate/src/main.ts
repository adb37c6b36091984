import { type InputsOf, inventoryIn, markdownTable, runAction } from '@perlstack/action';
import { gate, type Need, type Probe, type Verdict } from '@perlstack/health';
import { connect, type Remote } from '@perlstack/remote';
import { formatDuration, type Inventory, UserError } from '@perlstack/stack';
import { declaration } from './declaration.js';
import { probesFrom } from './probes.js';

type Inputs = InputsOf<typeof declaration>;

void runAction({
  name: 'health-gate',
  declaration,
  main: async ({ inputs, log, reporter, output, signal }) => {
    const inventory = inputs.inventory ? inventoryIn(inputs.inventory) : undefined;
    const probes = probesFrom({ ...inputs, inventory });
    const remote = remoteFor(probes, inventory, inputs);
    try {
      const verdict = await gate({
        probes,
        need: needFrom(inputs.need, probes.length),
        successes: inputs.successes,
        holdMs: inputs.hold,
        intervalMs: inputs.interval,
        perTryTimeoutMs: inputs['try-timeout'],
        timeoutMs: inputs.timeout,
        signal,
        ...(remote ? { remote } : {}),
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
    } finally {
      await remote?.close();
    }
  },
});

/** A connection for what is asked on hosts; none where nothing is. */
function remoteFor(
  probes: readonly Probe[],
  inventory: Inventory | undefined,
  inputs: Inputs,
): Remote | undefined {
  const hosts = new Set(probes.flatMap(({ from }) => from ?? []));
  if (hosts.size === 0 || !inventory) return undefined;
  const privateKey = inputs['ssh-private-key'];
  if (!privateKey)
    throw new UserError('Input "ssh-private-key": it is needed for probes that run on servers');
  return connect(inventory, { privateKey });
}

/** @throws UserError when more probes are needed than there are. */
function needFrom(text: string, probes: number): Need {
  if (text === 'all' || text === 'any') return text;
  if (Number(text) <= probes) return Number(text);
  throw new UserError(`Input "need": ${text} of ${probes} probes can never be healthy`);
}

function evidenceTable({ evidence }: Verdict): string {
  const rows = evidence.map(({ probe, seen, ok, ms }) => [
    probe,
    seen,
    ok ? 'healthy' : 'not healthy',
    formatDuration(ms),
  ]);
  return markdownTable(['Probe', 'Answer', 'Verdict', 'Time'], rows, ['l', 'l', 'l', 'r']);
}
