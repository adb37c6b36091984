import { relative, resolve, sep } from 'node:path';
import type { Location } from '@perlstack/stack';
import type { Environment } from './inputs.js';
import type { Redactor } from './masks.js';
import { type CommandProperties, tellRunner } from './runner-commands.js';

export interface Remark {
  readonly title?: string;
  /** A place in a file of the user's, for an annotation. */
  readonly location?: Location;
}

/** Where an action's lines go: GitHub's log with its groups and annotations, or a terminal. Secrets are taken out. */
export interface Log {
  debug(message: string): void;
  info(message: string): void;
  notice(message: string, remark?: Remark): void;
  warning(message: string, remark?: Remark): void;
  error(message: string, remark?: Remark): void;
  /** Runs `work` with its lines folded under a title. */
  group<T>(title: string, work: () => Promise<T>): Promise<T>;
}

/** The log that fits where the process runs. */
export function logFor(env: Environment, redactor: Redactor): Log {
  return env['GITHUB_ACTIONS'] === 'true'
    ? githubLog(env, redactor)
    : plainLog(redactor, sayLine, env['RUNNER_DEBUG'] === '1');
}

const sayLine = (line: string): void => void process.stdout.write(`${line}\n`);

/** Lines that the runner understands. */
export function githubLog(env: Environment, redactor: Redactor): Log {
  const clean = (text: string): string => redactor.redact(text);
  return {
    debug: (message) => tellRunner('debug', clean(message)),
    info: (message) => sayLine(clean(message)),
    notice: (message, remark) => tellRunner('notice', clean(message), annotation(remark, env)),
    warning: (message, remark) => tellRunner('warning', clean(message), annotation(remark, env)),
    error: (message, remark) => tellRunner('error', clean(message), annotation(remark, env)),
    group: async (title, work) => {
      tellRunner('group', clean(title));
      try {
        return await work();
      } finally {
        tellRunner('endgroup');
      }
    },
  };
}

/** Lines for a terminal. */
export function plainLog(redactor: Redactor, write: (line: string) => void, debug = false): Log {
  const print = (text: string): void => write(redactor.redact(text));
  return {
    debug: (message) => (debug ? print(message) : undefined),
    info: print,
    notice: (message) => print(message),
    warning: (message) => print(`Warning: ${message}`),
    error: (message) => print(`Error: ${message}`),
    group: (title, work) => {
      print(title);
      return work();
    },
  };
}

/** GitHub places an annotation by the path inside the repository. */
function annotation({ title, location }: Remark = {}, env: Environment): CommandProperties {
  return {
    ...(title ? { title } : {}),
    ...(location
      ? { file: inRepository(location.file, env), line: location.line, col: location.column }
      : {}),
  };
}

function inRepository(file: string, env: Environment): string {
  const path = relative(env['GITHUB_WORKSPACE'] || '.', resolve(file));
  return path.startsWith(`..${sep}`) ? file : path;
}
