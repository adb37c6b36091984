import { SERVER_PROGRAM } from './server-program.js';

/** Statements of a session that copies: nothing may end it early, and it writes nothing. */
const BEGIN = `SET statement_timeout = 0; SET lock_timeout = 0; SET idle_in_transaction_session_timeout = 0; SET row_security = off; BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;`;

/**
 * Writes a dump of one database to its standard output, and counts its rows in the same snapshot, while it is dumped.
 *
 * Second argument: JSON `{ database, count }`, the latter SQL that gives one line. Output on the standard error: a line of
 * JSON (`Dumped`) at the end, or why there is none.
 */
export const DUMP_PROGRAM =
  SERVER_PROGRAM +
  String.raw`
my $session = session($job->{database});
ask_for($session, '${BEGIN} SELECT pg_export_snapshot();');
my $snapshot = answer($session);
ask_for($session, 'SELECT pg_database_size(current_database());');
my $bytes = answer($session);
# An error of these is read where their answer is.
ask_for($session, $job->{count});
$ENV{PGDATABASE} = $job->{database};
finish(begin(["$bin/pg_dump", qw(--format=custom --compress=0 --no-password --lock-wait-timeout=60000), "--snapshot=$snapshot"], $nothing));
my $rows = answer($session);
leave($session);
close STDOUT or fail("the dump was not taken to its end: $!");
print STDERR qq({"bytes":$bytes,"rows":$rows}\n);
`;

/**
 * Writes roles, and what belongs to databases though no dump of one restores it under another name: how they are made, their
 * settings, rights and comments. Before each stands a line `-- perlstack database NUMBER`, at the end `-- perlstack end`.
 *
 * Second argument: JSON `{ maintenance, passwords, databases: [[number, name], …] }`.
 */
export const GLOBALS_PROGRAM =
  SERVER_PROGRAM +
  String.raw`
finish(begin(["$bin/pg_dumpall", qw(--globals-only --no-password -l), $job->{maintenance}, $job->{passwords} ? () : '--no-role-passwords'], $nothing));
for (@{ $job->{databases} }) {
    my ($number, $name) = @$_;
    syswrite STDOUT, "\n-- perlstack database $number\n";
    local $ENV{PGDATABASE} = $name;
    finish(begin(["$bin/pg_dump", qw(--schema-only --create --exclude-schema=* --no-tablespaces --no-publications --no-subscriptions --no-password)], $nothing));
}
syswrite STDOUT, "\n-- perlstack end\n";
close STDOUT or fail("the roles were not taken to their end: $!");
`;

/**
 * Says what a server is, and what it has.
 *
 * Second argument: JSON `{ maintenance, look, tools }`: SQL that gives one line of JSON, and programs that have to be there.
 * Output: a line of JSON (`ServerSeen`).
 */
export const LOOK_PROGRAM =
  SERVER_PROGRAM +
  String.raw`
my @missing = grep { my $tool = $_; !grep { -x "$_/$tool" } split /:/, $ENV{PATH} } @{ $job->{tools} };
fail('there is no ' . join(', ', @missing) . ' here') if @missing;
my $session = session($job->{maintenance});
ask_for($session, $job->{look});
my $seen = answer($session);
leave($session);
my $program = version_of('pg_dump') // fail("$bin/pg_dump: $!");
print qq({"program":$program,"seen":$seen}\n);
`;
