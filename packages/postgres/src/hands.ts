import type { PostgresSpec } from '@perlstack/configs';
import type { Member } from '@perlstack/engine';
import type { StepContext } from '@perlstack/procedure';
import type { Remote, RunOptions } from '@perlstack/remote';
import { observe } from './observe.js';
import type { PostgresSeen, ServerSeen } from './seen.js';
import { psql } from './sql.js';

export type PostgresMember = Member<PostgresSpec>;

const QUERY_TIMEOUT_MS = 120_000;

/** What all steps need: the members, and ways to ask them. */
export interface Hands {
  readonly remote: Remote;
  /** @throws Error when the plan belongs to another bundle. */
  member(host: string): PostgresMember;
  /** Where the other members reach it. */
  address(host: string): string;
  /** Runs SQL on a member, given on standard input, as its administrator. @returns what it prints. */
  query(host: string, sql: string, context: Pick<StepContext, 'signal'>): Promise<string>;
  look(host: string, context: Pick<StepContext, 'signal'>): Promise<PostgresSeen>;
  /** @throws Error when the member is no primary any more. */
  primary(host: string, context: Pick<StepContext, 'signal'>): Promise<ServerSeen>;
  /** The passwords with which members follow each other, as a member has them in its file. */
  passwords(host: string, context: Pick<StepContext, 'signal'>): Promise<string>;
  script(
    host: string,
    text: string,
    args: readonly string[],
    options: RunOptions & { readonly name: string },
  ): Promise<string>;
}

export function handsOf(remote: Remote, members: readonly PostgresMember[]): Hands {
  const member = (host: string): PostgresMember => {
    const found = members.find((candidate) => candidate.host === host);
    if (!found) throw new Error(`${host} is no member of this cluster: the plan belongs to another bundle`);
    return found;
  };
  const look: Hands['look'] = async (host, { signal }) => {
    const seen = (await observe(remote, [member(host)], { signal }))[host];
    if (!seen) throw new Error(`${host} was not observed`);
    return seen;
  };
  return {
    remote,
    member,
    look,
    address: (host) => {
      const own = member(host).spec.members.find((candidate) => candidate.host === host);
      if (!own) throw new Error(`${host} is not among the members that it is told of`);
      return own.address;
    },
    query: async (host, sql, { signal }) => {
      const options = { name: 'psql', sudo: true, input: sql, signal, timeoutMs: QUERY_TIMEOUT_MS };
      return (await remote.run(host, psql(member(host).spec), options)).stdout.trim();
    },
    primary: async (host, context) => {
      const { server, silence } = await look(host, context);
      if (server && !server.inRecovery) return server;
      throw new Error(
        `${host} was to be the primary, and ${server ? 'is a replica now' : (silence ?? 'does not run')}`,
      );
    },
    passwords: async (host, { signal }) => {
      const argv = ['cat', '--', member(host).spec.replication.passfile];
      const options = { name: 'reading the password file', sudo: true, signal, timeoutMs: QUERY_TIMEOUT_MS };
      return (await remote.run(host, argv, options)).stdout;
    },
    script: async (host, text, args, options) =>
      (await remote.script(host, text, args, { sudo: true, ...options })).stdout.trim(),
  };
}
