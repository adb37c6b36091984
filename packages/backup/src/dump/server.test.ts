import { describe, expect, it } from '@jest/globals';
import { assertDumps, chooseDatabases, remoteServer, serverArgs, serverFrom } from './server.js';

describe('serverFrom', () => {
  it.each([
    ['postgresql://admin@db.example.com:25060/defaultdb', 'admin', 'db.example.com', 25_060, 'defaultdb'],
    ['postgres://a%40b@10.0.0.1', 'a@b', '10.0.0.1', 5_432, 'postgres'],
  ])('reads %s', (text, user, host, port, database) =>
    expect(serverFrom(text)).toEqual({ user, host, port, database }),
  );

  it.each([
    ['db.example.com:5432', 'this is no URL of PostgreSQL'],
    ['db.example.com', 'this is no URL'],
    ['https://admin@db.example.com', 'this is no URL of PostgreSQL'],
    ['postgresql://db.example.com/shop', 'it names no user'],
    ['postgresql://admin@db.example.com/shop?sslmode=disable', 'it has to be a host and no more'],
    ['postgresql://admin:hidden@db.example.com/shop', 'a password does not belong there'],
  ])('refuses %s', (text, why) => {
    expect(() => serverFrom(text)).toThrow(`Input "server": ${why}`);
    expect(() => serverFrom(text)).not.toThrow('hidden');
  });
});

describe('serverArgs', () => {
  it('tells where the secret is, and nothing of it', () => {
    const server = remoteServer(serverFrom('postgresql://admin@db.example.com/shop'), 'app-1', {
      ...{ password: 'hidden', ca: 'certificate' },
    });
    const args = serverArgs(server, 4, { database: 'shop' });
    expect(args.map((one) => JSON.parse(one) as object)).toEqual([
      { host: 'db.example.com', port: 5_432, user: 'admin', secret: 4 },
      { database: 'shop' },
    ]);
  });
});

describe('assertDumps', () => {
  it('refuses a pg_dump that is older than its server', () => {
    expect(() => assertDumps('app-1', 17, 17)).not.toThrow();
    expect(() => assertDumps('app-1', 17, 15)).toThrow(
      'app-1: the server is PostgreSQL 17, and pg_dump here is 15, which cannot read it; install postgresql-client-17',
    );
  });
});

describe('chooseDatabases', () => {
  const databases = ['blog', 'postgres', 'shop'].map((name) => ({ name, bytes: 1 }));
  const chosen = (maintenanceEmpty: boolean, wanted: string[] = []): string =>
    chooseDatabases({ databases, maintenanceEmpty }, 'postgres', wanted)
      .map(({ name }) => name)
      .join(' ');

  it('takes all, without the one to look from where that is empty', () => {
    expect(chosen(true)).toBe('blog shop');
    expect(chosen(false)).toBe('blog postgres shop');
  });
  it('takes those that are named, once', () => expect(chosen(true, ['shop', 'shop'])).toBe('shop'));
  it('refuses one that there is not', () =>
    expect(() => chosen(true, ['shoes'])).toThrow(
      'Input "databases": there is no database "shoes"; there is: blog, postgres, shop',
    ));
  it('refuses a server that has nothing', () =>
    expect(() =>
      chooseDatabases(
        { databases: [{ name: 'postgres', bytes: 1 }], maintenanceEmpty: true },
        'postgres',
        [],
      ),
    ).toThrow('The server has no database with anything in it'));
});
