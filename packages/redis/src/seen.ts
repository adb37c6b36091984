import { UserError } from '@perlstack/stack';

/** What was seen of Redis and Sentinel on one host. */
export interface HostSeen {
  /** What stands in Redis's own file; `null` where there is none. */
  readonly liveFile: { readonly follows: string | null } | null;
  /** Redis's folder holds data, whoever wrote it. */
  readonly hasData: boolean;
  /** The running Redis; `null` when none runs. */
  readonly redis: RunningRedis | null;
  /** Sentinel's own file is there. */
  readonly sentinelFile: boolean;
  /** The running Sentinel; `null` when none runs. */
  readonly sentinel: RunningSentinel | null;
}

export interface RunningRedis {
  readonly role: 'primary' | 'replica';
  /** Address of the primary that it follows. */
  readonly follows: string | null;
  readonly link: 'up' | 'down' | null;
  /** Bytes of the replication stream. */
  readonly offset: number;
}

export interface RunningSentinel {
  /** Address of the primary, as this Sentinel says; `null` when it knows of none. */
  readonly names: string | null;
  /** It takes the primary for down, or is making another one. */
  readonly failingOver: boolean;
}

/** @throws UserError when a program runs there that did not answer; Error when the output is not complete. */
export function readSeen(host: string, output: string): HostSeen {
  const answers = new Map<string, string>();
  for (const line of output.split('\n')) {
    const [name = '', ...words] = line.trim().split(' ');
    answers.set(name, words.join(' '));
  }
  if (!answers.has('end')) throw new Error(`${host}: the output of the observing script is not complete`);
  const error = answers.get('error');
  if (error !== undefined) {
    throw new UserError(
      `${host}: Redis or Sentinel runs there but does not answer as it should (${error}); look into its journal, and ` +
        'whether its password is the one of this stack',
    );
  }
  return {
    liveFile: answers.has('live') ? { follows: answers.get('follows') ?? null } : null,
    hasData: answers.has('data'),
    redis: readRedis(answers),
    sentinelFile: answers.has('sentinel-live'),
    sentinel: answers.has('sentinel-runs') ? readSentinel(answers) : null,
  };
}

function readRedis(answers: ReadonlyMap<string, string>): RunningRedis | null {
  const role = answers.get('role');
  if (role === undefined) return null;
  if (role === 'master') {
    return { role: 'primary', follows: null, link: null, offset: Number(answers.get('master_repl_offset')) };
  }
  return {
    role: 'replica',
    follows: answers.get('master_host') ?? null,
    link: answers.get('master_link_status') === 'up' ? 'up' : 'down',
    offset: Number(answers.get('slave_repl_offset')),
  };
}

function readSentinel(answers: ReadonlyMap<string, string>): RunningSentinel {
  const flags = (answers.get('sentinel-flags') ?? '').split(',');
  return {
    names: answers.get('sentinel-names') || null,
    failingOver: ['s_down', 'o_down', 'failover_in_progress'].some((flag) => flags.includes(flag)),
  };
}
