import { describe, expect, it } from '@jest/globals';
import { UserError } from '@perlstack/stack';
import { redisNotes } from './notes.js';
import { redis, sentinel } from './service.js';
import { persistence, quorumOf, redisPassword, redisSettings } from './settings.js';
import { cacheWorld, firstOf } from './testing.js';

const filesOf = (world = cacheWorld()) => redis(world, firstOf(world))?.service.files ?? [];

describe('quorumOf', () => {
  it.each([
    [3, '', 2],
    [5, '', 3],
    [3, 'quorum: 1', 1],
    [3, 'quorum: 3', 3],
    [1, 'failover: manual', null],
    [2, 'failover: manual', null],
  ])('%i hosts, { %s }: %s', (hosts, cache, quorum) => {
    expect(quorumOf(cacheWorld({ hosts, cache }))).toBe(quorum);
  });

  it.each([
    [1, '', /quorum that can't be reached: 1 host, .*count: 3, or failover: manual/],
    [2, '', /can't be reached: 2 hosts,/],
    [4, '', /can't be reached: 4 hosts .* two halves of 2, neither of which has the 3 votes.*count: 3 or 5/],
    [3, 'quorum: 4', /can't be reached: quorum: 4, but there are 3 Sentinels; set 2/],
  ])('refuses %i hosts, { %s }', (hosts, cache, message) => {
    const ask = () => quorumOf(cacheWorld({ hosts, cache }));
    expect(ask).toThrow(UserError);
    expect(ask).toThrow(message);
  });
});

describe('redisPassword', () => {
  it.each(['geheim', 'aZ09!#$%&()*+,-./:;<=>?@[\\]^_`{|}~'])('takes %j', (password) => {
    expect(redisPassword(cacheWorld({ password }))).toBe(password);
  });

  it.each(['', 'two words', 'quo"te', "quo'te", 'li\nne', 'nul\0', 'zażółć'])(
    'refuses %j without repeating it',
    (password) => {
      const ask = () => redisPassword(cacheWorld({ password }));
      expect(ask).toThrow(UserError);
      expect(ask).toThrow(
        /^REDIS_PASSWORD: Sentinel could not read it back from its own file: take printable ASCII characters other than blanks and quotes, at least one$/,
      );
    },
  );
});

describe('redisSettings', () => {
  const settingOf = (name: string, hosts: number, cache = ''): unknown => {
    const world = cacheWorld({ hosts, cache });
    return new Map(redisSettings(world, firstOf(world)).map((entry) => [entry[0], entry[1]])).get(name);
  };

  it('lets no primary write alone, unless a host that is down would then stop all writes', () => {
    expect(settingOf('min-replicas-to-write', 3)).toBe(1);
    expect(settingOf('min-replicas-to-write', 2, 'failover: manual')).toBe(0);
    expect(settingOf('min-replicas-to-write', 3, 'failover: manual')).toBe(0);
  });

  it.each([
    ['rdb', '3600 1 300 100 60 10000', false],
    ['aof', '', true],
    ['both', '3600 1 300 100 60 10000', true],
    ['none', '', false],
  ])('persistence %s', (kind, save, appendonly) => {
    expect(persistence(cacheWorld({ cache: `persistence: ${kind}` }))).toEqual([
      ['save', save],
      ['appendonly', appendonly],
    ]);
  });
});

describe('the services', () => {
  it('say on no host who is primary', () => {
    const world = cacheWorld();
    const contents = world.inventory.hosts.map((host) =>
      (redis(world, host)?.service.files ?? []).map(({ content }) =>
        content.replaceAll(host.name, 'HOST').replaceAll(host.privateAddress ?? '', 'ADDRESS'),
      ),
    );
    expect(new Set(contents.map((list) => JSON.stringify(list))).size).toBe(1);
    expect(JSON.stringify(contents)).not.toMatch(/replicaof|slaveof/i);
  });

  it('show the password in no file that is not secret', () => {
    const open = filesOf().filter(({ secret }) => !secret);
    expect(open.filter(({ content }) => content.includes('geheim'))).toEqual([]);
    expect(
      filesOf()
        .filter(({ secret }) => secret)
        .map(({ path, mode }) => [path, mode]),
    ).toEqual([
      ['/etc/perlstack/redis/secrets.conf', 0o640],
      ['/etc/perlstack/redis/users.acl', 0o640],
      ['/etc/perlstack/redis/auth', 0o600],
    ]);
  });

  it('restart for what a running program does not take, and for nothing else', () => {
    const restarting = filesOf().filter(({ effect }) => effect === 'restart');
    expect(restarting.map(({ path }) => path)).toEqual([
      '/etc/systemd/system/redis-server.service.d/perlstack.conf',
      '/etc/perlstack/redis/start.conf',
    ]);
    expect(filesOf().every(({ effect }) => effect === 'reload' || effect === 'restart')).toBe(true);
  });

  it('bring back a primary without persistence only when its place is taken', () => {
    const restartOf = (cache: string) =>
      filesOf(cacheWorld({ cache }))
        .map(({ content }) => /^RestartSec=(.*)$/m.exec(content)?.[1])
        .find(Boolean);
    expect(restartOf('persistence: none')).toBe('15');
    expect(restartOf('persistence: none, failover: manual')).toBe('1');
    expect(restartOf('persistence: aof')).toBe('1');
  });

  it('have Sentinels only where failover is theirs', () => {
    const manual = cacheWorld({ cache: 'failover: manual' });
    expect(sentinel(manual, firstOf(manual))).toBeNull();
    const world = cacheWorld();
    expect(sentinel(world, firstOf(world))?.service.after).toEqual(
      ['cache-1', 'cache-2', 'cache-3'].map((host) => ({ host, service: 'redis' })),
    );
  });
});

describe('redisNotes', () => {
  it.each([
    [{}, []],
    [{ memoryMiB: null }, [/memory of its hosts is not known: maxmemory is 256 MiB/]],
    [{ cache: 'persistence: none' }, [/waits 15 s/]],
    [{ cache: 'failover: manual' }, [/failover is manual/]],
    [{ cache: 'failover: manual', hosts: 1 }, [/one host has no replica/]],
    [
      { cache: 'persistence: none, failover: manual', hosts: 1 },
      [/a restart of the primary empties it/, /no replica/],
    ],
  ])('%j', (options, notes) => {
    expect(redisNotes(cacheWorld(options))).toEqual(notes.map((note) => expect.stringMatching(note)));
  });
});
