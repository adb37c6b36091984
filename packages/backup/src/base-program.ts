import { HOST_PROGRAM } from './host-program.js';

/**
 * Asks a PostgreSQL server for a copy of itself and prints it: one tar, packed by the server, with its manifest as the
 * last file in it. `pg_basebackup` would have every byte of the data go through it unpacked, and has no place for the
 * manifest of a copy that it does not unpack; what it says to the server is said here in the same words (PostgreSQL's
 * manual, "Streaming Replication Protocol"). A temporary slot keeps the log that the copy needs, and is gone with the
 * connection; so is the copy. The process of the server that packs yields to others as much as this one does.
 *
 * The server ends its tar, and the manifest is one more tar after it, in a frame of zstd of its own: whoever unpacks the
 * two has to be told to read on (`tar --ignore-zeros`).
 *
 * Arguments: socket of the server, label, threads that pack, the manifest of the backup to build on or nothing, where to
 * keep the new manifest or nothing. On the standard error a line each: `start LSN TIMELINE`, `read BYTES OF-BYTES`,
 * `end LSN`, and whatever the server says.
 */
export const BASE_PROGRAM =
  HOST_PROGRAM +
  String.raw`
use Socket;

my ($path, $label, $workers, $parent, $keep) = @ARGV;
binmode STDOUT;

socket my $server, PF_UNIX, SOCK_STREAM, 0 or fail("socket: $!");
connect $server, sockaddr_un($path) or fail("$path: $!");

sub tell_server {
    my ($type, $body) = @_;
    write_all($server, $type . pack('N', 4 + length $body) . $body) or fail("$path: $!");
}

my ($buffer, $at) = ('', 0);
sub have {
    my ($bytes) = @_;
    while (length($buffer) - $at < $bytes) {
        substr $buffer, 0, $at, '';
        $at = 0;
        my $read = sysread($server, $buffer, 1 << 20, length $buffer) // fail("$path: $!");
        fail('the server closed the connection') if !$read;
    }
}
sub hear {
    have(5);
    my ($type, $length) = unpack 'a N', substr $buffer, $at, 5;
    have(1 + $length);
    my $body = substr $buffer, $at + 5, $length - 4;
    $at += 1 + $length;
    return ($type, $body);
}
sub words_of {
    my %field = $_[0] =~ /([A-Za-z])([^\0]*)\0/g;
    return join '; ', "$field{S}: $field{M}", grep { defined } @field{qw(D H)};
}
sub row_of {
    my ($columns, $rest) = unpack 'n a*', $_[0];
    my @row;
    for (1 .. $columns) {
        (my $length, $rest) = unpack 'N a*', $rest;
        push @row, $length == 0xFFFFFFFF ? undef : substr $rest, 0, $length, '';
    }
    return \@row;
}

# Hears until the server waits for something: gives the rows of each result. What is copied goes to $copied.
my $pid;
sub answer {
    my ($copied) = @_;
    my @results;
    while (1) {
        my ($type, $body) = hear();
        if ($type eq 'd') { $copied->(\@results, $body) }
        elsif ($type eq 'T') { push @results, [] }
        elsif ($type eq 'D') { push @{ $results[-1] }, row_of($body) }
        elsif ($type eq 'E') { fail(words_of($body)) }
        elsif ($type eq 'N') { print STDERR words_of($body), "\n" }
        elsif ($type eq 'K') { $pid = unpack 'N', $body }
        elsif ($type eq 'R') {
            my $wants = unpack 'N', $body;
            fail("the server wants a password (kind $wants) of postgres for replication through its socket; pg_hba.conf has to let it in by peer") if $wants;
        }
        # ReadyForQuery, or CopyInResponse.
        elsif ($type eq 'Z' || $type eq 'G') { return @results }
    }
}
sub ask {
    my ($command, $copied) = @_;
    tell_server('Q', "$command\0");
    return answer($copied);
}

tell_server('', pack('N', 196608) . join("\0", qw(user postgres replication true application_name perlstack_backup), '', ''));
answer();
# One that cannot be asked to yield packs as fast as it can.
eval { setpriority 0, $pid, getpriority 0, 0 };
ask(qq{CREATE_REPLICATION_SLOT "perlstack_backup_$pid" TEMPORARY PHYSICAL (RESERVE_WAL)});

if ($parent) {
    open my $in, '<:raw', $parent or fail("$parent: $!");
    ask('UPLOAD_MANIFEST');
    while (my $read = sysread $in, my $chunk, 1 << 20) { tell_server('d', $chunk) }
    tell_server('c', '');
    answer();
}

my ($archives, $manifest, $told, $of) = (0, undef, 0, 0);
sub take {
    my ($results, $body) = @_;
    my $kind = substr $body, 0, 1;
    if ($kind eq 'd') {
        if (defined $manifest) { $manifest .= substr $body, 1 }
        else { write_all(\*STDOUT, substr $body, 1) or fail("writing: $!") }
    }
    elsif ($kind eq 'p') {
        return if time - $told < 1;
        $told = time;
        printf STDERR "read %d %d\n", unpack('Q>', substr $body, 1), $of;
    }
    elsif ($kind eq 'm') { $manifest = '' }
    elsif ($kind eq 'n') {
        my ($start, $tablespaces) = @$results;
        fail('a copy of a server with tablespaces of its own is not one stream; move what lies in them to pg_default') if @$tablespaces > 1;
        $of += 1024 * ($_->[2] // 0) for @$tablespaces;
        print STDERR "start @{ $start->[0] }[0, 1]\n";
    }
}

$label =~ s/'/''/g;
my @options = ("LABEL '$label'", 'PROGRESS', "CHECKPOINT 'fast'", 'WAL', 'WAIT 0', "MANIFEST 'yes'", "COMPRESSION 'zstd'", "COMPRESSION_DETAIL 'level=3,workers=$workers'");
push @options, 'INCREMENTAL' if $parent;
my @results = ask('BASE_BACKUP (' . join(', ', @options) . ')', \&take);
fail('the server sent no manifest') if !defined $manifest;

if ($keep) {
    my $folder = $keep =~ s{/[^/]*\z}{}r;
    -d $folder or mkdir $folder or fail("$folder: $!");
    open my $out, '>:raw', "$keep.new" or fail("$keep.new: $!");
    print $out $manifest and close $out or fail("$keep.new: $!");
    rename "$keep.new", $keep or fail("$keep: $!");
}

# As POSIX has it: the sum is of the header with blanks in its own place.
my @header = ('backup_manifest', '0000600', '0000000', '0000000', sprintf('%011o', length $manifest), sprintf('%011o', time));
my @rest = ('0', '', "ustar\0", '00', 'postgres', 'postgres', '', '', '', '');
my $form = 'a100 a8 a8 a8 a12 a12 a8 a1 a100 a6 a2 a32 a32 a8 a8 a155 a12';
my $sum = unpack '%32C*', pack $form, @header, ' ' x 8, @rest;
my $tar = pack($form, @header, sprintf('%06o', $sum) . "\0 ", @rest) . $manifest . "\0" x (-length($manifest) % 512 + 1024);
open my $zstd, '|-', qw(zstd -q -3 -c) or fail("zstd: $!");
binmode $zstd;
print $zstd $tar and close $zstd or fail("zstd: $!");
print STDERR "end $results[-1][0][0]\n";
`;
