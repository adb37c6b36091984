import type { ProgramProbe } from './probe.js';

/** What is run on a host for a probe, and how its words are read. */
export type Program = Pick<ProgramProbe, 'argv' | 'judge'> & {
  readonly name: string;
  readonly input?: string;
};

export type Found = ReturnType<ProgramProbe['judge']>;

export const good = (seen: string): Found => ({ ok: true, seen });
export const bad = (seen: string): Found => ({ ok: false, seen });
