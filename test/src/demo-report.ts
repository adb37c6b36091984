import { terminalTable } from '@perlstack/action';
import { formatDuration, type Inventory } from '@perlstack/stack';
import { evidenceOf, holds, type Proofs, topologyOf } from './demo-topology.js';
import type { OrderBalance, Window } from './load-ledger.js';

/** One deploy of the demo: what the action said, and what visitors saw in its time. */
export interface DeployReport {
  readonly release: string;
  readonly outcome: string;
  readonly seconds: number;
  /** What no roll-out can avoid: boot, gate and drain of each server, one after the other. */
  readonly irreducibleSeconds: number;
  readonly requests: number;
  readonly failed: number;
  readonly servers: readonly { readonly name: string; readonly seconds: number }[];
}

export interface DemoReport {
  readonly hosts: readonly {
    readonly name: string;
    readonly tier: string;
    readonly publicAddress: string | null;
    readonly privateAddress: string | null;
  }[];
  readonly deploys: readonly DeployReport[];
  /** All hosts with their roles, for a terminal. */
  readonly topology: string;
  readonly proofs: Proofs;
  /** Seconds of every phase of the demo, in order. */
  readonly phases: readonly { readonly name: string; readonly seconds: number }[];
  readonly load: {
    readonly requests: number;
    readonly failed: number;
    readonly posts: number;
    readonly lostPosts: number;
    readonly doubledPosts: number;
    /** Of those that were answered, how many the standby has. */
    readonly replicatedPosts: number;
    readonly visits: number;
  };
  readonly goals: readonly {
    readonly name: string;
    readonly goal: string;
    readonly measured: string;
    readonly met: boolean;
  }[];
}

/** The outcomes that the three deploys are to have. */
export const EXPECTED = ['succeeded', 'succeeded', 'rolled-back'] as const;
const LEAST_REQUESTS = 20_000;

/** What was seen of a stack under load. */
export interface Seen {
  readonly inventory: Inventory;
  readonly deploys: readonly DeployReport[];
  readonly phases: DemoReport['phases'];
  readonly total: Window;
  /** The orders that were answered, beside those on the primary and on the standby. */
  readonly orders: OrderBalance;
  readonly replicated: OrderBalance;
  readonly proofs: Proofs;
}

export function reportOf(seen: Seen): DemoReport {
  const { inventory, deploys, phases, total, orders, replicated, proofs } = seen;
  const visits = total.byKind.visit;
  const outcomes = deploys.map(({ outcome }) => outcome).join(', ');
  const goal = (name: string, wanted: string, measured: string | number, met: boolean) => ({
    name,
    goal: wanted,
    measured: String(measured),
    met,
  });
  return {
    hosts: inventory.hosts.map(({ name, tier, publicAddress, privateAddress }) => ({
      name,
      tier,
      publicAddress,
      privateAddress,
    })),
    topology: topologyOf(inventory, proofs),
    proofs,
    deploys,
    phases,
    load: {
      requests: total.requests,
      failed: total.failed,
      posts: orders.acknowledged,
      lostPosts: orders.lost.length,
      doubledPosts: orders.doubled.length,
      replicatedPosts: replicated.acknowledged - replicated.lost.length,
      visits: visits.ok,
    },
    goals: [
      goal('outcomes', EXPECTED.join(', '), outcomes, outcomes === EXPECTED.join(', ')),
      goal('requests', `at least ${LEAST_REQUESTS}`, total.requests, total.requests >= LEAST_REQUESTS),
      goal('failed requests', '0', total.failed, total.failed === 0),
      goal('lost POSTs', '0', orders.lost.length, orders.lost.length === 0),
      goal('POSTs carried out twice', '0', orders.doubled.length, orders.doubled.length === 0),
      goal(
        'orders missing on the replica',
        `0 of ${orders.executed}`,
        replicated.lost.length,
        replicated.lost.length === 0,
      ),
      goal('visits out of session', `0 of ${visits.ok + visits.failed}`, visits.failed, visits.failed === 0),
      goal(
        'replication and quorum',
        'as it should be',
        holds(proofs) ? 'as it should be' : 'see above',
        holds(proofs),
      ),
    ],
  };
}

/** What the demo ends with. */
export function tablesOf({ deploys, goals, topology, proofs }: DemoReport): string {
  const rows = deploys.map(({ release, outcome, servers, seconds, irreducibleSeconds, requests, failed }) => [
    release,
    outcome,
    servers.map(({ name, seconds: own }) => `${name} ${own.toFixed(1)} s`).join(', '),
    formatDuration(seconds * 1_000),
    formatDuration(irreducibleSeconds * 1_000),
    requests,
    failed,
  ]);
  return [
    topology,
    terminalTable(['Asked', 'Answered'], evidenceOf(proofs)),
    terminalTable(['Release', 'Outcome', 'Servers', 'Time', 'Boot+gate+drain', 'Requests', 'Failed'], rows, [
      'l',
      'l',
      'l',
      'r',
      'r',
      'r',
      'r',
    ]),
    terminalTable(
      ['', 'Goal', 'Measured', ''],
      goals.map(({ name, goal, measured, met }) => [name, goal, measured, met ? 'met' : 'NOT met']),
    ),
  ].join('\n\n');
}
