import { HOST_PROGRAM } from '../host-program.js';

/**
 * What the programs begin with that speak with a server by psql and pg_dump. The first argument is JSON (`Reach`, as
 * `reachOf` makes it). A password and a certificate come as JSON through a file handle, and are handed on in files that
 * have no name any more and whose only readers are the programs started here.
 */
export const SERVER_PROGRAM =
  HOST_PROGRAM +
  String.raw`
use Fcntl qw(O_RDWR O_CREAT O_EXCL);

my $reach = $json->decode(shift @ARGV);
my $job = $json->decode(shift @ARGV);

sub hidden {
    my ($text) = @_;
    my $path = sprintf '/dev/shm/perlstack-%d-%d', $$, int rand 1e9;
    sysopen my $handle, $path, O_RDWR | O_CREAT | O_EXCL, 0600 or fail("$path: $!");
    unlink $path;
    write_all($handle, $text) or fail("$path: $!");
    my $kept = fcntl $handle, 0, 10 or fail("$path: $!");
    return "/proc/self/fd/$kept";
}

@ENV{qw(PGHOST PGPORT PGCONNECT_TIMEOUT PGAPPNAME)} = ($reach->{host}, $reach->{port}, 20, 'perlstack');
if (defined $reach->{user}) {
    open my $handle, '<&=', $reach->{secret} or fail("no secret: $!");
    my $secret = $json->decode(scalar <$handle> // fail('no secret'));
    $ENV{PGUSER} = $reach->{user};
    $ENV{PGPASSFILE} = hidden('*:*:*:*:' . ($secret->{password} =~ s/([\\:])/\\$1/gr) . "\n");
    $ENV{PGSSLMODE} = 'verify-full';
    $ENV{PGSSLROOTCERT} = $secret->{ca} eq '' ? '/etc/ssl/certs/ca-certificates.crt' : hidden($secret->{ca});
}

# Debian's own pg_dump is a wrapper that takes the version of a cluster of the host's.
my ($bin) = map { $_->[1] } sort { $b->[0] <=> $a->[0] }
    map { m{/(\d+)/bin/pg_dump\z} ? [$1, s{/pg_dump\z}{}r] : () } glob '/usr/lib/postgresql/*/bin/pg_dump';
$bin = $reach->{programs} if defined $reach->{programs};
$bin // fail('there is no pg_dump here');

# A program whose words are read at its end, when they tell why it failed.
sub begin {
    my ($argv, $in, $out) = @_;
    open my $words, '+>', undef or fail("a temporary file: $!");
    my $child = fork // fail("fork: $!");
    if (!$child) {
        $SIG{$_} = 'DEFAULT' for qw(TERM INT HUP PIPE);
        dup2(fileno $in, 0) if $in;
        dup2(fileno $out, 1) if $out;
        dup2(fileno $words, 2);
        exec { $argv->[0] } @$argv or POSIX::_exit(127);
    }
    push @started, $child;
    return { name => $argv->[0] =~ s{.*/}{}r, child => $child, words => $words };
}
sub finish {
    my ($program) = @_;
    waitpid $program->{child}, 0;
    return if !$?;
    my $code = $? >> 8 || $? & 127;
    seek $program->{words}, 0, 0;
    my @lines = grep { /\S/ } readline $program->{words};
    my ($why) = ((grep { /error:|ERROR:|FATAL:/ } @lines), @lines);
    $why = defined $why ? $why =~ s/\s+\z//r : 'it said nothing';
    fail("$program->{name} failed with code $code: " . ($why =~ s/\A\Q$program->{name}\E: (?:error: )?//r));
}
open my $nothing, '<', '/dev/null' or fail("/dev/null: $!");

# Names of databases are told in the environment: as arguments, some would be taken for more than a name.
sub session {
    my ($database) = @_;
    local $ENV{PGDATABASE} = $database;
    pipe my $in, my $to or fail("pipe: $!");
    pipe my $from, my $out or fail("pipe: $!");
    my $psql = begin(["$bin/psql", qw(-X -q -A -t -w -v ON_ERROR_STOP=1 -v VERBOSITY=terse)], $in, $out);
    close $in;
    close $out;
    return { %$psql, to => $to, from => $from };
}
sub ask_for { my ($session, $sql) = @_; syswrite $session->{to}, "$sql\n" }
sub answer {
    my ($session) = @_;
    my $line = readline $session->{from};
    return $line =~ s/\n\z//r if defined $line;
    finish($session);
    fail('psql ended without an answer');
}
sub leave {
    my ($session) = @_;
    close $session->{to};
    1 while readline $session->{from};
    finish($session);
}
sub version_of {
    my ($program) = @_;
    open my $version, '-|', "$bin/$program", '--version' or return undef;
    my $line = <$version> // '';
    close $version;
    return $line =~ /(\d+)(?:\.\d+)*/ ? 0 + $1 : undef;
}
`;
