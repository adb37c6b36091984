import { postgresProgram } from './postgres.js';
import { bad, good, type Program } from './program.js';
import { redisProgram, sentinelProgram } from './redis.js';
import type { ProbeSpec } from './spec.js';

/** What is run on a host for a probe that looks at something there, and how its words are read. */
export function programOf(spec: ProbeSpec, host: string): Program {
  if (spec.unit !== undefined) return unitProgram(spec.unit, host);
  if (spec.postgres !== undefined) return postgresProgram(spec, spec.postgres, host);
  if (spec.redis !== undefined) return redisProgram(spec, spec.redis, host);
  if (spec.sentinel !== undefined) return sentinelProgram(spec.sentinel, host);
  return commandProgram(spec, spec.command ?? [], host);
}

function unitProgram(unit: string, host: string): Program {
  return {
    name: `unit ${unit} on ${host}`,
    argv: ['systemctl', 'show', '--property=LoadState,ActiveState,SubState', '--', unit],
    judge: (_code, output) => {
      const property = (name: string): string => new RegExp(`^${name}=(.*)$`, 'm').exec(output)?.[1] ?? '?';
      if (property('LoadState') === 'not-found') return bad('there is no such unit');
      const seen = `${property('ActiveState')} (${property('SubState')})`;
      return property('ActiveState') === 'active' ? good(seen) : bad(seen);
    },
  };
}

function commandProgram({ exit = [0], contains }: ProbeSpec, argv: readonly string[], host: string): Program {
  return {
    name: `${argv[0] ?? ''} on ${host}`,
    argv,
    judge: (code, output) => {
      const said = output.trim() === '' ? '' : `: ${output.trim()}`;
      if (!exit.includes(code)) return bad(`exit code ${code}${said}`);
      if (contains !== undefined && !output.includes(contains))
        return bad(`exit code ${code} without "${contains}"${said}`);
      return good(`exit code ${code}`);
    },
  };
}
