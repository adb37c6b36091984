import { type InputsOf, inventoryIn, runAction } from '@perlstack/action';
import { type Check, gate, leavesOf } from '@perlstack/health';
import { connect, type Remote } from '@perlstack/remote';
import { formatDuration, type Inventory, UserError } from '@perlstack/stack';
import { declaration } from './declaration.js';
import { evidenceTable } from './evidence.js';
import { probesFrom } from './probes.js';
import { needFrom, paceFrom } from './terms.js';

type Inputs = InputsOf<typeof declaration>;

void runAction({
  name: 'health-gate',
  declaration,
  main: async ({ inputs, log, reporter, output, signal }) => {
    const inventory = inputs.inventory ? inventoryIn(inputs.inventory) : undefined;
    const probes = probesFrom({ ...inputs, inventory });
    const need = needFrom(inputs.need, probes.length);
    const pace = paceFrom(inputs, probes);
    const remote = remoteFor(probes, inventory, inputs);
    try {
      const verdict = await gate({
        probes,
        need,
        ...pace,
        perTryTimeoutMs: inputs['try-timeout'],
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
  probes: readonly Check[],
  inventory: Inventory | undefined,
  inputs: Inputs,
): Remote | undefined {
  const hosts = new Set(leavesOf(probes).flatMap(({ from }) => from ?? []));
  if (hosts.size === 0 || !inventory) return undefined;
  const privateKey = inputs['ssh-private-key'];
  if (!privateKey)
    throw new UserError('Input "ssh-private-key": it is needed for probes that run on servers');
  return connect(inventory, { privateKey });
}
