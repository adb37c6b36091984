import { hostsOf, type Inventory } from '@perlstack/stack';
import type { PostgresProof, RedisProof } from './stack-proofs.js';

/** What the systems of a running stack say of themselves. */
export interface Proofs {
  readonly postgres: PostgresProof;
  readonly redis: RedisProof;
  /** The row that was written on the primary, as the standby has it. */
  readonly marker: string;
  /** By web host: the release that answered a request by name. */
  readonly answers: Readonly<Record<string, string>>;
  readonly nginx: string;
  readonly starman: string;
}

type Row = readonly [left: string, right: string];

/** All hosts of the stack with what they are, one tier a line. */
export function topologyOf(inventory: Inventory, proofs: Proofs): string {
  const { postgres, redis } = proofs;
  const rows: Row[] = [
    ['visitors', ''],
    ['  │ 80', ''],
    [`nginx ${proofs.nginx}`, line(inventory, 'web', 'publicAddress')],
    ['  │ 5000', ''],
    [`Starman ${proofs.starman}`, line(inventory, 'app', 'privateAddress')],
    ['  │ 5432', ''],
    [`PostgreSQL ${postgres.version}`, postgresLine(inventory, postgres)],
    ['  │ 6379, 26379', ''],
    [`Redis ${redis.version}`, redisLine(inventory, redis)],
    ['Sentinel', quorumLine(redis)],
  ];
  const width = Math.max(...rows.map(([left]) => left.length)) + 3;
  return rows.map(([left, right]) => `${left.padEnd(width)}${right}`.trimEnd()).join('\n');
}

/** What was asked of the systems, and what they answered. */
export function evidenceOf({ postgres, redis, marker, answers }: Proofs): readonly Row[] {
  return [
    ...postgres.standbys.flatMap(
      ({ host, state, sync, lagBytes, slot, slotActive, receiver, sender }): Row[] => [
        [`pg_stat_replication on ${postgres.primary}`, `${host} ${state}, ${sync}, ${lagBytes} bytes behind`],
        [`pg_stat_wal_receiver on ${host}`, `${receiver} from ${sender}`],
        [`pg_replication_slots on ${postgres.primary}`, `${slot} ${slotActive ? 'active' : 'NOT active'}`],
        [`written on ${postgres.primary}, read on ${host}`, marker || 'NOT there'],
      ],
    ),
    ...redis.replicas.map(({ host, link, lagBytes }): Row => [
      `INFO replication on ${host}`,
      `link to ${redis.primary} ${link}, ${lagBytes} bytes behind`,
    ]),
    ...Object.entries(redis.quorum).map(([host, answer]): Row => [
      `SENTINEL CKQUORUM on ${host}`,
      answer.split('.')[0] ?? '',
    ]),
    ...Object.entries(answers).map(([host, release]): Row => [
      `shop.example.com through ${host}`,
      `answered by release ${release}`,
    ]),
  ];
}

/** Whether all that is to follow follows, and all that is to agree agrees. */
export function holds({ postgres, redis, marker, answers }: Proofs): boolean {
  const streaming = postgres.standbys.every(
    ({ state, slotActive, receiver }) => state === 'streaming' && receiver === 'streaming' && slotActive,
  );
  const linked = redis.replicas.every(({ link }) => link === 'up');
  const agreed = Object.values(redis.quorum).every((answer) => answer.startsWith('OK '));
  const answered = new Set(Object.values(answers)).size === 1;
  return postgres.standbys.length > 0 && streaming && marker !== '' && linked && agreed && answered;
}

function line(inventory: Inventory, tier: string, kind: 'publicAddress' | 'privateAddress'): string {
  return hostsOf(inventory, tier)
    .map((host) => `${host.name} ${host[kind] ?? ''}`)
    .join('   ');
}

const named = ({ hosts }: Inventory, name: string): string =>
  `${name} ${hosts.find((host) => host.name === name)?.privateAddress ?? ''}`;

function postgresLine(inventory: Inventory, { primary, standbys }: PostgresProof): string {
  const followers = standbys.map(({ host, state }) => `${named(inventory, host)} replica, ${state}`);
  return `${named(inventory, primary)} primary ──▶ ${followers.join(', ')}`;
}

function redisLine(inventory: Inventory, { primary, replicas }: RedisProof): string {
  const followers = replicas.map(({ host }) => named(inventory, host));
  return `${named(inventory, primary)} primary ──▶ ${followers.join(', ')} replicas`;
}

function quorumLine({ quorum }: RedisProof): string {
  const agreed = Object.values(quorum).filter((answer) => answer.startsWith('OK ')).length;
  return `${Object.keys(quorum).join(', ')}; ${agreed} of ${Object.keys(quorum).length} say that the quorum can be reached`;
}
