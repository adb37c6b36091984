import { describe, expect, it } from '@jest/globals';
import { readSeen } from './observe.js';

const CONTROL = [
  'Database system identifier:           7412345678901234567',
  'Database cluster state:               in production',
  'Latest checkpoint location:           0/5000060',
  "Latest checkpoint's TimeLineID:       2",
  'Minimum recovery ending location:     0/0',
  "Min recovery ending loc's timeline:   0",
  'Data page checksum version:           1',
].map((line) => `control\t${line}`);

const output = (...lines: string[]): string => [...lines, 'end', ''].join('\n');

describe('readSeen', () => {
  it('reads a bare host', () => {
    expect(readSeen(output(), 17)).toEqual({
      ...{ installed: false, running: false, data: null, otherVersions: [], server: null, silence: null },
    });
  });

  it('reads a stopped primary, and what other versions left', () => {
    const seen = readSeen(
      output('installed', 'version\t17', 'version\t15', 'data\t17\tprimary', ...CONTROL),
      17,
    );
    expect(seen).toMatchObject({
      ...{ installed: true, running: false, otherVersions: [15] },
      data: {
        standby: false,
        systemIdentifier: '7412345678901234567',
        timeline: 2,
        lsn: '0/5000060',
        checksums: true,
      },
    });
  });

  it('takes the end of a replica from where its recovery must reach', () => {
    const control = CONTROL.map((line) =>
      line.replace(/(ending location: +).*/, '$19/1').replace(/(loc's timeline: +).*/, '$13'),
    );
    const stopped = control.map((line) => line.replace('in production', 'shut down in recovery'));
    expect(readSeen(output('installed', 'data\t17\tstandby', ...stopped), 17).data).toMatchObject({
      ...{ standby: true, timeline: 3, lsn: '9/1', state: 'shut down in recovery' },
    });
  });

  it('reads what a server says, and why another does not', () => {
    const seen = readSeen(
      output(
        'installed',
        'running',
        'server\t{"inRecovery":false}',
        'extensions\tpostgres\tplpgsql pg_stat_statements',
      ),
      17,
    );
    expect(seen.server).toEqual({
      inRecovery: false,
      extensions: { postgres: ['plpgsql', 'pg_stat_statements'] },
    });
    expect(readSeen(output('running', 'silence\tpsql: starting up '), 17)).toMatchObject({
      ...{ running: true, server: null, silence: 'psql: starting up' },
    });
  });

  it('fails where the output broke off', () => {
    expect(() => readSeen('installed\n', 17)).toThrow(/not complete/);
    expect(() => readSeen(output('data\t17\tprimary'), 17)).toThrow(/prints no/);
  });
});
