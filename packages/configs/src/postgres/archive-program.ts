/**
 * Hands one segment of the write-ahead log to the bucket, by a ticket: a URL that takes this one object once and lets
 * nobody read, change or delete it. Called by PostgreSQL as `archive-wal PATH NAME`, until it succeeds.
 *
 * The book of tickets is text: `word value` lines until an empty one, then a line a segment, `NAME PUT HEAD`, where the
 * two are what makes the common URL one of its own. A segment that was taken already is one that succeeds when the
 * bucket holds the same, and fails when it holds something else. What was sent is kept until it is known to be taken,
 * because age never encrypts a text twice in the same way. Where the bucket takes a second write as a further version, the book
 * says `look first`: the first version counts, so none is written beside another one's.
 *
 * Before the first backup there is no book, and no backup that needs the log: nothing is kept. When the bucket is away
 * so long that what waits is larger than the book's `limit`, the log is let go and noted in `dropped`: a server that
 * stands still because its disk is full is worse than a gap, which the next base backup closes.
 */
export const ARCHIVE_PROGRAM = String.raw`#!/usr/bin/perl
use strict;
use warnings;
use Digest::MD5;
use IO::Handle;

my $folder = $ENV{PERLSTACK_WAL} // '/var/lib/perlstack-wal';
my ($path, $name) = @ARGV;
die "usage: archive-wal PATH NAME\n" unless defined $name;
umask 0077;
my ($book, $ticket);
# Code 1 makes PostgreSQL try again; a signal or a code above 125 would make its archiver give up.
$SIG{__DIE__} = sub {
    print STDERR "archive-wal: $_[0]";
    let_go() if $book && waiting() > $book->{limit};
    exit 1;
};

# What a base backup's manifest says already, and the unfinished segment of a timeline that was left.
exit 0 if $name =~ /\.(?:backup|partial)\z/;
die "$name: not the name of a segment\n" unless $name =~ /\A[0-9A-F]{8}(?:[0-9A-F]{16}|\.history)\z/;

if (!-e "$folder/tickets") {
    print STDERR "archive-wal: $name is not kept: no backup was made yet\n";
    exit 0;
}
$ticket = ticket($name);
my $packed = pack_segment();
my ($md5_base64, $md5_hex) = digests($packed);
for my $try (1 .. 3) {
    look() if $book->{look};
    my ($status, $etag) = ask('PUT', $ticket->[0], $packed, $md5_base64);
    $status = look() if $status == 412;
    done() if $status == 200;
    die "$name: the bucket refused the ticket (403): it is too old, or its key is gone; run the backup, which writes new ones\n"
        if $status == 403;
    die "$name: the bucket found the content damaged on its way (400); it is sent again\n" if $status == 400;
    die "$name: the bucket does not answer as it should ($status); tried again by PostgreSQL\n" if $try == 3;
    select undef, undef, undef, 0.5 * $try;
}

# Done when the bucket has this content, and no further when it has another one. Gives the status.
sub look {
    my ($seen, $there) = ask('HEAD', $ticket->[1]);
    done() if $seen == 200 && $there eq $md5_hex;
    die "$name: the bucket holds another content under this name; nothing was changed there\n" if $seen == 200;
    return $seen;
}

sub done {
    unlink $packed;
    exit 0;
}

# Bytes of the log that wait to be taken; the working directory is the data directory.
sub waiting {
    my @ready = glob 'pg_wal/archive_status/*.ready';
    return @ready * ((-s $path) // 0);
}

sub let_go {
    open my $out, '>>', "$folder/dropped" or return;
    print $out "$name\n";
    close $out or return;
    unlink glob "$folder/spool/$name.*";
    print STDERR "archive-wal: $name is LOST to recovery: more than $book->{limit} bytes of the log wait\n";
    exit 0;
}

sub ticket {
    my ($wanted) = @_;
    my $file = "$folder/tickets";
    open my $in, '<', $file or die "$file: $!; run the backup, which writes it\n";
    my %head;
    while (defined(my $line = <$in>)) {
        chomp $line;
        last if $line eq '';
        my ($word, $value) = split / /, $line, 2;
        $head{$word} = $value;
    }
    $book = \%head;
    if (my $line = line_of($in, $wanted)) {
        my (undef, $put, $head) = split / /, $line;
        my $key = $head{folder} . ($wanted =~ /history/ ? '' : substr($wanted, 0, 8) . '/') . $wanted . $head{suffix};
        return ["$key?$head{put}$put", "$key?$head{head}$head"];
    }
    die "$wanted: no ticket in $file, which was made for $head{until}; run the backup, which writes new ones\n";
}

# The line of a ticket. Those of histories come first; the segments after them are in order, and their lines equally long.
sub line_of {
    my ($in, $wanted) = @_;
    my ($start, $line);
    do {
        $start = tell $in;
        $line = <$in> // return undef;
        return $line =~ s/\n//r if index($line, "$wanted ") == 0;
    } while $line =~ /\A[0-9A-F]{8}\.history /;
    my $length = length $line;
    my ($low, $high) = (0, int(((-s $in) - $start) / $length));
    while ($low < $high) {
        my $middle = int(($low + $high) / 2);
        seek $in, $start + $middle * $length, 0;
        $line = <$in>;
        my $order = substr($line, 0, 24) cmp $wanted;
        return $line =~ s/\n//r if $order == 0;
        if ($order < 0) { $low = $middle + 1 } else { $high = $middle }
    }
    return undef;
}

# Packed once and kept: named after the time of the segment, because names of segments come again after a restore.
sub pack_segment {
    my $time = (stat $path)[9] // die "$path: $!\n";
    my $file = "$folder/spool/$name.$time";
    return $file if -e $file;
    unlink glob "$folder/spool/$name.*";
    my @programs = (['zstd', '-q', '-3', '-c', '--', $path]);
    push @programs, ['age', '-r', $book->{recipient}] if $book->{recipient};
    open my $out, '>', "$file.new" or die "$file.new: $!\n";
    run_all($out, @programs);
    # Without age the same comes of it once more, so that nothing hangs on it.
    !$book->{recipient} || $out->sync or die "$file.new: $!\n";
    close $out or die "$file.new: $!\n";
    rename "$file.new", $file or die "$file: $!\n";
    return $file;
}

# Runs programs as a pipe into a file, without a shell.
sub run_all {
    my ($out, @programs) = @_;
    my ($input, @children);
    while (my $program = shift @programs) {
        my ($reader, $writer);
        if (@programs) { pipe $reader, $writer or die "pipe: $!\n" }
        my $child = fork // die "fork: $!\n";
        if (!$child) {
            open STDIN, '<&', $input or exit 127 if $input;
            open STDOUT, '>&', $writer // $out or exit 127;
            exec { $program->[0] } @$program or exit 127;
        }
        push @children, [$child, $program->[0]];
        close $writer if $writer;
        $input = $reader;
    }
    for my $child (@children) {
        waitpid $child->[0], 0;
        die "$name: $child->[1] failed; is the disk full?\n" if $?;
    }
}

sub digests {
    my ($file) = @_;
    open my $in, '<:raw', $file or die "$file: $!\n";
    my $md5 = Digest::MD5->new->addfile($in);
    my $copy = $md5->clone;
    return ($md5->b64digest . '==', $copy->hexdigest);
}

# One request by curl, whose URL is in no argument list. Gives status and ETag; status 0 when there was no answer.
sub ask {
    my ($method, $url, $file, $md5) = @_;
    my $config = "url = \"$url\"\n";
    $config .= $method eq 'HEAD' ? "head\n" : "upload-file = \"$file\"\nheader = \"Content-MD5: $md5\"\nheader = \"If-None-Match: *\"\n";
    if ($method eq 'PUT' && $book->{'lock-mode'}) {
        $config .= "header = \"X-Amz-Object-Lock-Mode: $book->{'lock-mode'}\"\n";
        $config .= "header = \"X-Amz-Object-Lock-Retain-Until-Date: $book->{'lock-until'}\"\n";
    }
    $config .= "header = \"Expect:\"\nheader = \"Content-Type:\"\n";
    my @curl = ('curl', '-q', '--silent', '--connect-timeout', '5', '--max-time', '60', '--speed-limit', '1024',
        '--speed-time', '15', '--output', '/dev/null', '--write-out', '%{http_code} %header{etag}', '--config', '-');
    pipe my $from_us, my $to_curl or die "pipe: $!\n";
    my $child = open my $answer, '-|';
    die "fork: $!\n" unless defined $child;
    if (!$child) {
        close $to_curl;
        open STDIN, '<&', $from_us or exit 127;
        exec { $curl[0] } @curl or exit 127;
    }
    close $from_us;
    print $to_curl $config;
    close $to_curl;
    my $line = <$answer> // '';
    close $answer;
    my ($status, $etag) = $line =~ /\A(\d+) "?([0-9a-f]*)"?/ or return (0, '');
    return (0 + $status, $etag);
}
`;
