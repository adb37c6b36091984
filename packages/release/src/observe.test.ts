import { describe, expect, it } from '@jest/globals';
import { holderOf, parseAppHost } from './observe.js';

describe('parseAppHost', () => {
  it('reads what the script prints', () => {
    const output = [
      'user\t101',
      'template\t1',
      'current\tr1',
      'previous\tr0',
      'serving\tr1',
      'module\t0123456789abcdef\t7000',
      'partial\t.r2.partial',
      `release\tr1\t${'a'.repeat(64)}\t1\t0\t1700000000\t1\t5000\t0123456789abcdef`,
      'release\tby-hand\t-\t0\t1\t1700000001\t0\t\t',
      'audit\t{"release":"r1"}',
      'instance\tr1\tMemoryCurrent=52428800 NRestarts=0 ActiveState=active SubState=running ',
      'instance\tr2\tMemoryCurrent=[not set] NRestarts=3 ActiveState=activating SubState=auto-restart ',
      'enabled\tr1',
      'memory\t1024',
      'disk\t2048',
      'refusing\t1',
      'inflight\t7',
      'unit\tKillMode=mixed|KillSignal=3|TimeoutStopUSec=45s|WorkingDirectory=/srv/shop/releases/x|',
      'command\t/usr/bin/starman --listen /run/shop/x.sock app.psgi',
      'perl5lib\t/opt/perl5',
      'perl\t5.40.1 x86_64-linux-gnu-thread-multi',
      'starman\t0.4018-1',
      `nginx\t${Buffer.from('user www-data;').toString('base64')}`,
      'lock\t4\t{"owner":"run-1","url":null,"release":"r2","since":"2026-01-01T00:00:00.000Z"}',
      '',
    ].join('\n');
    expect(parseAppHost('app-1', output)).toEqual({
      host: 'app-1',
      configured: true,
      current: 'r1',
      serving: 'r1',
      previous: 'r0',
      releases: [
        {
          id: 'r1',
          sha256: 'a'.repeat(64),
          good: true,
          bad: false,
          migrated: true,
          bytes: 5_000,
          tree: '0123456789abcdef',
          unpackedAt: 1_700_000_000,
        },
        {
          ...{ id: 'by-hand', sha256: null, good: false, bad: true, migrated: false },
          ...{ bytes: null, tree: null, unpackedAt: 1_700_000_001 },
        },
      ],
      modules: [{ key: '0123456789abcdef', bytes: 7_000 }],
      partials: ['.r2.partial'],
      instances: [
        { id: 'r1', active: 'active', sub: 'running', restarts: 0, memory: 52_428_800 },
        { id: 'r2', active: 'activating', sub: 'auto-restart', restarts: 3, memory: null },
      ],
      enabled: ['r1'],
      memoryAvailable: 1024,
      diskAvailable: 2048,
      refusing: true,
      inFlight: 7,
      audit: ['{"release":"r1"}'],
      facts: {
        host: 'app-1',
        unit: {
          killMode: 'mixed',
          killSignal: '3',
          timeoutStop: '45s',
          workingDirectory: '/srv/shop/releases/x',
          command: ['/usr/bin/starman', '--listen', '/run/shop/x.sock', 'app.psgi'],
          perl5lib: '/opt/perl5',
        },
        nginx: 'user www-data;',
        perl: '5.40.1 x86_64-linux-gnu-thread-multi',
        ...{ os: '', tools: [] },
        starman: '0.4018',
      },
      lock: {
        owner: 'run-1',
        actor: null,
        url: null,
        release: 'r2',
        since: '2026-01-01T00:00:00.000Z',
        silentSeconds: 4,
      },
    });
  });

  it('reads a bare host', () => {
    const state = parseAppHost('app-1', 'user\t\ntemplate\t0\nserving\t\nmemory\t1\ndisk\t1\n');
    expect(state).toMatchObject({
      configured: false,
      serving: null,
      current: null,
      releases: [],
      lock: null,
      inFlight: 0,
    });
  });
});

it('a lock that nobody can read is somebody else', () => {
  expect(holderOf('{"owner":', 3)).toMatchObject({ owner: '?', silentSeconds: 3 });
});
