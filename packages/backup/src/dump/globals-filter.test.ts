import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { GLOBALS_FILTER, type Wanted } from './globals-filter.js';

const TEXT = `--
-- PostgreSQL database cluster dump
--
\\restrict abc
SET default_transaction_read_only = off;
CREATE ROLE postgres;
ALTER ROLE postgres WITH SUPERUSER PASSWORD 'SCRAM-SHA-256$of-the-old-one';
CREATE ROLE shop;
ALTER ROLE shop WITH LOGIN;
ALTER ROLE shop SET app.motto TO 'two lines;
CREATE ROLE of_a_text;
it''s "one';
COMMENT ON ROLE shop IS 'keeps; all';
CREATE ROLE "Odd "" name";
CREATE TABLESPACE fast OWNER shop LOCATION '/fast';
GRANT shop TO "Odd "" name" WITH INHERIT TRUE GRANTED BY postgres;
GRANT shop TO postgres WITH INHERIT TRUE GRANTED BY postgres;
GRANT SET ON PARAMETER log_min_messages TO shop;
\\! touch /tmp/never

-- perlstack database 1
CREATE DATABASE "a b" WITH TEMPLATE = template0 ENCODING = 'UTF8' LOCALE_PROVIDER = libc LOCALE = 'C.UTF-8';
ALTER DATABASE "a b" OWNER TO shop;
\\connect -reuse-previous=on "dbname='a b'"
COMMENT ON DATABASE "a b" IS 'one; "two';
ALTER DATABASE "a b" SET work_mem TO '5MB';
ALTER ROLE shop IN DATABASE "a b" SET search_path TO 'a', 'b';
CREATE EXTENSION IF NOT EXISTS amcheck WITH SCHEMA public;
REVOKE CONNECT,TEMPORARY ON DATABASE "a b" FROM PUBLIC;
ALTER DATABASE other SET work_mem TO '9MB';

-- perlstack database 2
CREATE DATABASE other WITH TEMPLATE = template0;
ALTER DATABASE other OWNER TO shop;

-- perlstack end
`;

const perl = existsSync('/usr/bin/perl');

/** @returns what psql would be told, line by line */
function told(wanted: Partial<Wanted>, text = TEXT): string[] {
  const spec: Wanted = {
    part: 'make',
    databases: { 1: 'perlstack_restore_1' },
    roles: ['postgres'],
    ...wanted,
  };
  const { status, stdout, stderr } = spawnSync('perl', ['-e', GLOBALS_FILTER, JSON.stringify(spec), 'cat'], {
    input: text,
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(stderr.trim());
  return stdout.trimEnd().split('\n');
}

(perl ? describe : describe.skip)(`roles and databases of a dump${perl ? '' : ' (skipped: no perl)'}`, () => {
  it('makes the roles that are not there, as a whole, and then databases under other names', () =>
    expect(told({})).toEqual([
      'BEGIN;',
      'CREATE ROLE shop;',
      'ALTER ROLE shop WITH LOGIN;',
      "ALTER ROLE shop SET app.motto TO 'two lines;",
      'CREATE ROLE of_a_text;',
      `it''s "one';`,
      "COMMENT ON ROLE shop IS 'keeps; all';",
      'CREATE ROLE "Odd "" name";',
      'GRANT shop TO "Odd "" name" WITH INHERIT TRUE;',
      'GRANT SET ON PARAMETER log_min_messages TO shop;',
      'COMMIT;',
      `CREATE DATABASE "perlstack_restore_1" WITH TEMPLATE = template0 ENCODING = 'UTF8' LOCALE_PROVIDER = libc LOCALE = 'C.UTF-8';`,
      'ALTER DATABASE "perlstack_restore_1" OWNER TO shop;',
    ]));

  it('leaves roles that are there as they are, whatever they are called', () =>
    expect(told({ roles: ['postgres', 'shop', 'Odd " name'], databases: {} })).toEqual([
      'BEGIN;',
      'COMMIT;',
    ]));

  it('keeps what belongs to a database, and to no other', () =>
    expect(told({ part: 'keep' })).toEqual([
      `COMMENT ON DATABASE "perlstack_restore_1" IS 'one; "two';`,
      `ALTER DATABASE "perlstack_restore_1" SET work_mem TO '5MB';`,
      `ALTER ROLE shop IN DATABASE "perlstack_restore_1" SET search_path TO 'a', 'b';`,
      'REVOKE CONNECT,TEMPORARY ON DATABASE "perlstack_restore_1" FROM PUBLIC;',
    ]));

  it('quotes the other name', () =>
    expect(told({ databases: { 2: 'x"y' } }).slice(-2)).toEqual([
      'CREATE DATABASE "x""y" WITH TEMPLATE = template0;',
      'ALTER DATABASE "x""y" OWNER TO shop;',
    ]));

  it.each([TEXT.replace('-- perlstack end\n', ''), TEXT.slice(0, 900), ''])(
    'runs nothing of a text without its end',
    (text) => expect(() => told({}, text)).toThrow('what was stored of roles and databases has no end'),
  );

  it('fails as psql does', () => {
    const spec = JSON.stringify({ part: 'make', databases: {}, roles: [] });
    const { status } = spawnSync(
      'perl',
      ['-e', GLOBALS_FILTER, spec, 'sh', '-c', 'cat > /dev/null; exit 3'],
      {
        input: TEXT,
      },
    );
    expect(status).toBe(3);
  });
});
