import { describe, expect, it } from '@jest/globals';
import { connectionTo } from './clone.js';
import { makeSql } from './make-sql.js';
import { cloneProgress } from './progress.js';
import { identifier, literal, psql, slotOf } from './sql.js';
import { spec } from './testing.js';

describe('SQL', () => {
  it('quotes names and texts whatever they hold', () => {
    expect(identifier('a"; DROP')).toBe('"a""; DROP"');
    expect(literal("it's \\")).toBe("'it''s \\'");
    expect(slotOf('database-12')).toBe('database_12');
  });

  it('makes roles, then databases, slots for the others, and extensions in their databases', () => {
    const sql = makeSql(spec, 'database-2');
    expect(sql).toContain(`'CREATE ROLE "shop"' WHERE NOT EXISTS`);
    expect(sql).toContain(
      `ALTER ROLE "replicator" NOSUPERUSER LOGIN REPLICATION PASSWORD 'SCRAM-SHA-256$two';`,
    );
    expect(sql).toContain(`ALTER ROLE "shop" NOSUPERUSER LOGIN NOREPLICATION PASSWORD`);
    expect(sql.match(/pg_create_physical_replication_slot\('(\w+)', true\)/g)).toEqual([
      "pg_create_physical_replication_slot('database_1', true)",
      "pg_create_physical_replication_slot('database_3', true)",
    ]);
    expect(sql).toMatch(/\\connect "postgres"\nCREATE EXTENSION IF NOT EXISTS "pg_stat_statements";\n$/);
    expect(sql.indexOf('ALTER ROLE "shop"')).toBeLessThan(sql.indexOf('CREATE DATABASE "shop"'));
  });

  it('never waits for a replica, and is neither logged nor counted', () => {
    const argv = psql(spec).join(' ');
    for (const setting of [
      'synchronous_commit=local',
      'log_statement=none',
      'pg_stat_statements.track_utility=off',
    ]) {
      expect(argv).toContain(`-c ${setting}`);
    }
  });
});

describe('connectionTo', () => {
  it('quotes what libpq would split', () => {
    expect(connectionTo('fd00::2', 5_432, "it's a \\ role")).toBe(
      "host=fd00::2 port=5432 user='it\\'s a \\\\ role' connect_timeout=10 keepalives_idle=20 keepalives_interval=10 keepalives_count=4",
    );
  });
});

describe('cloneProgress', () => {
  it('says every tenth of the way how much has come', () => {
    const told: string[] = [];
    const read = cloneProgress((message) => told.push(message));
    for (const percent of [0, 4, 9, 10, 11, 35, 39, 100]) {
      read(`${percent * 1_024}/102400 kB (${percent}%), 0/1 tablespace`);
    }
    read('waiting for checkpoint');
    expect(told).toEqual(['10 of 100 MiB', '35 of 100 MiB', '100 of 100 MiB']);
  });
});
