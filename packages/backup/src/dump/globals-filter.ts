import { HOST_PROGRAM } from '../host-program.js';

/**
 * Reads what `GLOBALS_PROGRAM` wrote, and hands psql what is wanted of it. Databases go by other names meanwhile, and roles
 * that are there already stay as they are. Nothing else of the text is run.
 *
 * First argument: JSON (`Wanted`); then the argv of psql.
 */
export const GLOBALS_FILTER =
  HOST_PROGRAM +
  String.raw`
my $wanted = $json->decode(shift @ARGV);
my %names = %{ $wanted->{databases} };
my %there = map { $_ => 1 } @{ $wanted->{roles} };

my $id = qr/"(?:[^"]|"")*"|[a-z_][a-z0-9_\$]*/;
my $literal = qr/(?:[^'"]|'(?:[^']|'')*'|"(?:[^"]|"")*")*+/;
sub name_of { $_[0] =~ /\A"(.*)"\z/s ? $1 =~ s/""/"/gr : $_[0] }
sub quoted { '"' . ($_[0] =~ s/"/""/gr) . '"' }

my (%part, $number, $database, $ended);
while (defined(my $statement = next_statement())) {
    if (!defined $number) { push @{ $part{roles} }, role_statement($statement) }
    elsif (defined $names{$number}) { database_statement($statement) }
}
fail('what was stored of roles and databases has no end') unless $ended;
my @sql = $wanted->{part} eq 'make'
    ? ('BEGIN;', @{ $part{roles} // [] }, 'COMMIT;', @{ $part{make} // [] })
    : @{ $part{keep} // [] };
pipe my $in, my $to or fail("pipe: $!");
my $child = fork // fail("fork: $!");
if (!$child) {
    $SIG{$_} = 'DEFAULT' for qw(TERM INT HUP PIPE);
    close $to;
    dup2(fileno $in, 0);
    exec { $ARGV[0] } @ARGV or POSIX::_exit(127);
}
push @started, $child;
close $in;
write_all($to, join "\n", @sql, '') if @sql;
close $to;
waitpid $child, 0;
exit($? >> 8 || $? & 127);

# A statement ends with its line, outside of any quotes; psql's own commands are none.
sub next_statement {
    my $text = '';
    while (my $line = <STDIN>) {
        if ($text eq '') {
            if ($line =~ /\A-- perlstack database (\d+)\n/) { ($number, $database) = ($1, undef) }
            $ended = 1 if $line eq "-- perlstack end\n";
            next if $line =~ /\A(?:--|\\|\s*\z)/;
        }
        $text .= $line;
        return $text =~ s/\s+\z//r if $line =~ /;\s*\z/ && $text =~ /\A$literal\z/;
    }
    return undef;
}

sub role_statement {
    my ($statement) = @_;
    my $role;
    if ($statement =~ /\A(?:CREATE|ALTER) ROLE ($id)[ ;]/) { $role = $1 }
    elsif ($statement =~ /\ACOMMENT ON ROLE ($id) /) { $role = $1 }
    elsif ($statement =~ /\AGRANT $id TO ($id)(?: WITH [^'"]*?)?(?: GRANTED BY $id)?;\z/) { $role = $1 }
    elsif ($statement =~ /\AGRANT [A-Z, ]+ ON PARAMETER .* TO ($id)(?: WITH GRANT OPTION)?;\z/s) { $role = $1 }
    else { return () }
    # Who restores is a superuser; who granted it before may have no right to here.
    $statement =~ s/ GRANTED BY $id;\z/;/;
    return $there{ name_of($role) } ? () : $statement;
}

sub database_statement {
    my ($statement) = @_;
    my $new = quoted($names{$number});
    if (!defined $database) {
        $database = $1 if $statement =~ s/\ACREATE DATABASE ($id) /CREATE DATABASE $new /;
        push @{ $part{make} }, $statement if defined $database;
    }
    elsif ($statement =~ s/\AALTER DATABASE \Q$database\E OWNER TO /ALTER DATABASE $new OWNER TO /) { push @{ $part{make} }, $statement }
    elsif ($statement =~ s/\A((?:ALTER|COMMENT ON) DATABASE )\Q$database\E /$1$new /
        || $statement =~ s/\A(ALTER ROLE $id IN DATABASE )\Q$database\E /$1$new /
        || $statement =~ s/\A((?:GRANT|REVOKE) [A-Z, ]+ ON DATABASE )\Q$database\E /$1$new /) { push @{ $part{keep} }, $statement }
}
`;

/** What is taken of roles and databases. */
export interface Wanted {
  /** Roles and the databases themselves, or what is laid on the latter at the end. */
  readonly part: 'make' | 'keep';
  /** By number, what a database is called meanwhile; others are left out. */
  readonly databases: Readonly<Record<string, string>>;
  /** Roles that are there already. */
  readonly roles: readonly string[];
}
