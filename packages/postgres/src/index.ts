import type { PostgresSpec } from '@perlstack/configs';
import type { Engine } from '@perlstack/engine';
import { handlers } from './handlers.js';
import { observe } from './observe.js';
import { plan } from './plan.js';
import type { PostgresSeen } from './seen.js';
import type { PostgresStep } from './step.js';

/** PostgreSQL's part in a converge: who leads, who follows, and how both are made. */
export const postgresEngine: Engine<PostgresSpec, PostgresSeen, PostgresStep> = {
  kind: 'postgresql',
  observe,
  plan,
  handlers,
};

export { connectionTo } from './clone.js';
export { findLead, type Lead } from './lead.js';
export { observe as readStatus } from './observe.js';
export type { DataSeen, PostgresSeen, ReplicaSeen, ServerSeen } from './seen.js';
export { dropLostSlotSql, slotSql } from './make-sql.js';
export { parseLsn, segmentAt, segmentOf } from './lsn.js';
export { asPostgres, identifier, literal, type LocalServer, psql, psqlArgv, slotOf } from './sql.js';
export { type Standing, standingOf } from './standing.js';
export type { PostgresStep } from './step.js';
