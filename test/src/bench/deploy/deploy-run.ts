import { readFileSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import type { StepEvent } from '@perlstack/procedure';
import { DEFAULT_TIMINGS, deploy, type DeployResult } from '@perlstack/release';
import { connect, type Remote } from '@perlstack/remote';
import type { Inventory, Stack } from '@perlstack/stack';
import { PHASES } from './host-scripts.js';
import type { Interval } from './overhead.js';
import { type Timeline, timelineOf } from './timeline.js';

/** A deploy as a process of its own, started where the hosts can be reached. */
export interface DeployRunOrder {
  readonly stack: Stack;
  readonly inventory: Inventory;
  readonly keyFile: string;
  readonly release: string;
  readonly artifact: string;
}

export interface DeployRunResult {
  readonly result: DeployResult;
  /** Pauses between a switch and the first look at it. */
  readonly settled: readonly Interval[];
  /** SSH connections opened, and commands run over them. */
  readonly connections: number;
  readonly commands: number;
  /** From the start of the process to the first answer of a host, in milliseconds: what no deploy over SSH can spare. */
  readonly connectedMs: number;
  /** Where the time went, in milliseconds. */
  readonly timeline: Timeline;
}

/** Commands in which a host boots, gates or drains, by their names. */
const PHASE_OF: Readonly<Record<string, 'boot' | 'drain'>> = { boot: 'boot', drain: 'drain' };
const PROBE = 'health probe';

/**
 * Has the hosts note when they began and ended to boot, gate, drain and stop, by their own clocks: as the peers' tasks do,
 * so that the way there and back counts as the tool's own time for all of them.
 */
function noting(remote: Remote, { hosts }: Inventory): Remote {
  const isWeb = (name: string): boolean => hosts.some((host) => host.name === name && host.tier === 'web');
  const phaseOf = (host: string, name = ''): string | undefined =>
    name === PROBE ? (isWeb(host) ? 'gate' : 'boot') : PHASE_OF[name];
  return {
    ...remote,
    script: (host, script, args, options) => {
      const phase = phaseOf(host, options?.name);
      const noted = phase === undefined ? NOTE_STOPS + script : noteAs(phase, script);
      return remote.script(host, noted, args, options);
    },
  };
}

const noteAs = (phase: string, script: string): string => `bench_start=$(date +%s%3N)
(
${script}
)
bench_code=$?
echo "${phase} $bench_start $(date +%s%3N)" >>${PHASES}
exit $bench_code
`;

const NOTE_STOPS = `systemctl() {
  case $1 in disable | stop) ;; *) command systemctl "$@"; return ;; esac
  bench_start=$(date +%s%3N)
  command systemctl "$@"
  echo "stop $bench_start $(date +%s%3N)" >>${PHASES}
}
`;

/** Tells when the first command was answered. */
function watched(remote: Remote, onAnswer: () => void): Remote {
  return {
    ...remote,
    script: async (...call) => {
      const answer = await remote.script(...call);
      onAnswer();
      return answer;
    },
  };
}

async function main(): Promise<void> {
  const { stack, inventory, keyFile, release, artifact } = JSON.parse(
    await text(process.stdin),
  ) as DeployRunOrder;
  const remote = connect(inventory, { privateKey: readFileSync(keyFile, 'utf8') });
  const start = Date.now();
  const events: StepEvent[] = [];
  let connectedMs: number | undefined;
  const onAnswer = (): void => void (connectedMs ??= performance.now());
  try {
    const result = await deploy({
      ...{ stack, inventory, release, artifact: { path: artifact }, owner: { id: release } },
      remote: watched(noting(remote, inventory), onAnswer),
      onEvent: (event) => events.push(event),
    });
    const { connections, commands } = remote.counters();
    const timeline = timelineOf(events, start, Date.now());
    const counted = { connections, commands, connectedMs: connectedMs ?? Number.NaN };
    const answer: DeployRunResult = { result, settled: settledOf(events), ...counted, timeline };
    process.stdout.write(JSON.stringify(answer));
  } finally {
    await remote.close();
  }
}

function settledOf(events: readonly StepEvent[]): Interval[] {
  return events
    .filter(({ step, state }) => step.kind === 'gate' && state === 'started')
    .map(({ step, at }) => ({
      ...{ host: step.host ?? '', phase: 'gate', start: at, end: at + DEFAULT_TIMINGS.settleMs },
    }));
}

// Not awaited at the top: see `bundled`.
void main();
