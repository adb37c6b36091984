import { terminalTable } from '@perlstack/action';
import { formatDuration, type Inventory } from '@perlstack/stack';
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
  /** Seconds of every phase of the demo, in order. */
  readonly phases: readonly { readonly name: string; readonly seconds: number }[];
  readonly load: {
    readonly requests: number;
    readonly failed: number;
    readonly posts: number;
    readonly lostPosts: number;
    readonly doubledPosts: number;
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

export function reportOf(
  inventory: Inventory,
  deploys: readonly DeployReport[],
  phases: DemoReport['phases'],
  total: Window,
  orders: OrderBalance,
): DemoReport {
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
    deploys,
    phases,
    load: {
      requests: total.requests,
      failed: total.failed,
      posts: orders.acknowledged,
      lostPosts: orders.lost.length,
      doubledPosts: orders.doubled.length,
    },
    goals: [
      goal('outcomes', EXPECTED.join(', '), outcomes, outcomes === EXPECTED.join(', ')),
      goal('requests', `at least ${LEAST_REQUESTS}`, total.requests, total.requests >= LEAST_REQUESTS),
      goal('failed requests', '0', total.failed, total.failed === 0),
      goal('lost POSTs', '0', orders.lost.length, orders.lost.length === 0),
      goal('POSTs carried out twice', '0', orders.doubled.length, orders.doubled.length === 0),
    ],
  };
}

/** What the demo ends with. */
export function tablesOf({ deploys, goals }: DemoReport): string {
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
