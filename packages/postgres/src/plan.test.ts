import { describe, expect, it } from '@jest/globals';
import { type Consent, type Intent, NO_CONSENT } from '@perlstack/engine';
import { plan } from './plan.js';
import type { PostgresSeen } from './seen.js';
import { bare, membersOf, primarySeen, replicaSeen, stopped } from './testing.js';

const NONE: Intent = { due: null, files: [] };

function planned(seen: PostgresSeen[], intents: Intent[] = [], consent: Partial<Consent> = {}) {
  const members = membersOf(seen.length);
  const by = <T>(values: readonly T[], missing: T): Record<string, T> =>
    Object.fromEntries(members.map(({ host }, at) => [host, values[at] ?? missing]));
  const result = plan(members, by(seen, bare), by(intents, NONE), { ...NO_CONSENT, ...consent });
  return {
    ...result,
    changes: result.changes.map(({ host, target, what }) => `${host} ${target}: ${what}`),
    before: result.before.map(({ id }) => id),
    after: result.after.map(({ id }) => id),
    order: result.order.map(({ first, then }) => `${first} ${then}`),
  };
}

const NOTHING = { changes: [], before: [], after: [], order: [], refusals: [] };
const START: Intent = { due: 'start', files: [] };
const RELOAD: Intent = { due: 'reload', files: [] };
const restart = (after = ''): Intent => ({
  due: 'restart',
  files: [{ path: '/etc/postgresql/17/main/conf.d/10-restart.conf', before: null, after }],
});

describe('plan', () => {
  it('makes a cluster of bare hosts, the primary first', () => {
    expect(planned([bare, bare, bare], [START, START, START])).toEqual({
      changes: [
        'database-1 /var/lib/postgresql/17/main: new cluster of PostgreSQL 17',
        'database-2 replica: to be made from database-1',
        'database-3 replica: to be made from database-1',
      ],
      before: ['database-1/postgresql/init', 'database-2/postgresql/clone', 'database-3/postgresql/clone'],
      after: ['database-1/postgresql/roles', 'database-2/postgresql/follow', 'database-3/postgresql/follow'],
      order: expect.arrayContaining(['database-1 database-2', 'database-1 database-3']) as unknown,
      refusals: [],
    });
  });

  it('leaves alone what is as it should be, lagging or led by another', () => {
    expect(planned([primarySeen(), replicaSeen()])).toEqual(NOTHING);
    expect(planned([replicaSeen({ lsn: '0/3000000' }), primarySeen()])).toEqual(NOTHING);
    expect(planned([primarySeen(), replicaSeen()], [RELOAD, RELOAD])).toEqual(NOTHING);
  });

  it('names what the cluster lacks', () => {
    const seen = primarySeen({
      roles: { shop: 'differs', replicator: 'missing' },
      ...{ databases: ['postgres'], extensions: { postgres: ['plpgsql'] }, slots: [] },
    });
    expect(planned([seen, replicaSeen()])).toMatchObject({
      changes: [
        'database-1 role shop: password or rights differ',
        'database-1 role replicator: new',
        'database-1 extension pg_stat_statements in postgres: new',
        'database-1 database shop: new',
        'database-1 slot database_2: new',
      ],
      after: ['database-1/postgresql/roles'],
    });
  });

  it('starts a stopped primary before its replicas, and looks then what it lacks', () => {
    expect(planned([stopped(replicaSeen()), stopped(primarySeen())], [START, START])).toMatchObject({
      changes: [],
      after: ['database-2/postgresql/roles', 'database-1/postgresql/follow'],
      order: ['database-2 database-1', 'database-2 database-1'],
      refusals: [],
    });
  });

  it('waits for a replica that only has to be started', () => {
    expect(planned([primarySeen(), stopped(replicaSeen())], [NONE, START])).toEqual({
      ...NOTHING,
      after: ['database-2/postgresql/follow'],
      order: ['database-1 database-2'],
    });
  });

  const lost = primarySeen({
    slots: [{ name: 'database_2', active: false, walStatus: 'lost', restartLsn: null }],
  });

  it.each([
    ['fell behind', [lost, stopped(replicaSeen())], 'database-2', 'behind'],
    ['diverged', [stopped(primarySeen()), primarySeen({ timeline: 2 })], 'database-1', 'diverged'],
  ] as const)('makes a replica that %s anew only when its host is named', (what, seen, host, replaces) => {
    const others = host === 'database-1' ? 'database-2' : 'database-1';
    const refused = planned([...seen]);
    expect(refused).toMatchObject({ before: [], after: [] });
    expect(refused.changes).toEqual([
      expect.stringContaining(`${host} replica: ${what}, to be made anew from ${others}`),
    ]);
    expect(refused.refusals).toEqual([expect.stringContaining(`(allow-rebuild: ${host})`)]);
    expect(planned([...seen], [], { rebuild: [others] }).refusals).toHaveLength(1);

    const allowed = planned([...seen], [], { rebuild: [host] });
    expect(allowed).toMatchObject({
      before: [`${host}/postgresql/clone`],
      after: [`${host}/postgresql/follow`],
      order: [`${others} ${host}`],
      refusals: [],
    });
    const [step] = plan(
      membersOf(2),
      { 'database-1': seen[0], 'database-2': seen[1] },
      {},
      { ...NO_CONSENT, rebuild: [host] },
    ).before;
    expect(step).toMatchObject({ replaces, from: others, starts: true });
  });

  it('starts a stopped replica that may have fallen behind, and makes it anew at once where that is allowed', () => {
    const seen = [primarySeen(), stopped(replicaSeen({}, { lsn: '0/3FFFFFF' }))];
    expect(planned(seen, [NONE, START])).toMatchObject({
      before: [],
      after: ['database-2/postgresql/follow'],
    });
    expect(planned(seen, [NONE, START], { rebuild: ['database-2'] })).toMatchObject({
      before: ['database-2/postgresql/clone'],
      refusals: [],
    });
  });

  it('does nothing at all with two primaries', () => {
    expect(
      planned([primarySeen(), primarySeen()], [restart(), restart()], {
        restart: true,
        rebuild: ['database-1'],
      }),
    ).toEqual({
      ...NOTHING,
      refusals: [expect.stringMatching(/both take writes/)],
    });
  });

  it('restarts replicas one by one, and the primary last', () => {
    const seen = [primarySeen(), replicaSeen(), replicaSeen()];
    expect(
      planned(seen, [restart('max_connections = 200\n'), restart(), restart()], { restart: true }),
    ).toEqual({
      ...NOTHING,
      after: ['database-2/postgresql/follow', 'database-3/postgresql/follow', 'database-1/postgresql/settle'],
      order: ['database-2 database-3', 'database-3 database-1'],
    });
  });

  it('restarts the primary first where a limit sinks, and lets the replicas learn of it', () => {
    const seen = [primarySeen(), replicaSeen()];
    expect(planned(seen, [restart("max_connections = '60'\n"), restart()], { restart: true })).toEqual({
      ...NOTHING,
      after: ['database-2/postgresql/follow', 'database-1/postgresql/settle'],
      order: ['database-1 database-2'],
    });
  });

  it('refuses to raise one limit and lower another at once', () => {
    const files = restart('max_connections = 60\nmax_worker_processes = 16\n');
    expect(planned([primarySeen(), replicaSeen()], [files, files], { restart: true }).refusals).toEqual([
      expect.stringMatching(/max_worker_processes rises while max_connections sinks.*two runs/),
    ]);
  });

  it('shows a restart that an earlier change left due, and makes it with consent', () => {
    const seen = [
      primarySeen({ pendingRestart: ['shared_buffers'] }),
      replicaSeen({ pendingRestart: ['shared_buffers'] }),
    ];
    const changes = [
      'database-2 postgresql@17-main.service: restart due for shared_buffers',
      'database-1 postgresql@17-main.service: restart due for shared_buffers',
    ];
    expect(planned(seen)).toEqual({ ...NOTHING, changes });
    expect(planned(seen, [], { restart: true })).toEqual({
      ...NOTHING,
      changes,
      after: [
        'database-2/postgresql/restart',
        'database-2/postgresql/follow',
        'database-1/postgresql/restart',
        'database-1/postgresql/settle',
      ],
      order: ['database-2 database-1'],
    });
  });

  it('has no circle where one is made anew while all restart', () => {
    const result = planned([lost, stopped(replicaSeen())], [restart('max_connections = 200\n'), START], {
      restart: true,
      rebuild: ['database-2'],
    });
    expect(result.order).toEqual(['database-1 database-2']);
  });

  it('fails where a member was not observed', () => {
    expect(() => plan(membersOf(2), { 'database-1': primarySeen() }, {}, NO_CONSENT)).toThrow(/database-2/);
  });
});
