/** Name of a file in the data directory of a server that has been backed up, and of what was copied from one. */
export const ARCHIVE_MARK = 'perlstack-backed-up';

/**
 * Hands one segment of the write-ahead log to the bucket, by a ticket: a URL that takes this one object once and lets
 * nobody read, change or delete it. Called by PostgreSQL as `archive-wal PATH NAME`, until it succeeds.
 *
 * The book of tickets is text: `word value` lines until an empty one, then a line a segment, `NAME PUT HEAD`, where the
 * two are what makes the common URL one of its own. A segment that was taken already is one that succeeds when the
 * bucket holds the same, and fails when it holds something else. age never encrypts a text twice in the same way, and
 * PostgreSQL asks again for what was taken when the machine stops before it has noted that for good. So what is sent is on
 * the disk before, and stays there until a later call finds the note. Where the bucket takes a second write as a further version, the book
 * says `look first`: the first version counts, so none is written beside another one's.
 *
 * Before the first backup there is no book, and no backup that needs the log: nothing is kept. A server that was copied
 * from one that has backups, such as a new replica that was promoted, has a mark among its data: its log waits for a book. A book
 * of other data, as of what the host had before a restore, counts as none: the log would lie among that of the others. When the bucket is away
 * so long that what waits is larger than the book's `limit`, or than what it leaves free on the disk, the log is let go and
 * noted in `dropped`: a server that stands still because its disk is full is worse than a gap, which the next base backup
 * closes. A history goes as well, because PostgreSQL asks for it first and would not come to the segments; the next backup
 * has it handed over again.
 *
 * It runs beside the server, and takes as little of its processors as it can. Packing, which is most of the work, gives
 * way to the server's own while little of the log waits; sending does not, since it has deadlines. curl starts and the digest is
 * made meanwhile. Modules and certificates are loaded where they are needed only.
 */
export const ARCHIVE_PROGRAM = String.raw`#!/usr/bin/perl
use strict;
use warnings;

my $folder = $ENV{PERLSTACK_WAL} // '/var/lib/perlstack-wal';
my ($path, $name) = @ARGV;
die "usage: archive-wal PATH NAME\n" unless defined $name;
umask 0077;
my $own = $$;
# Each authority in a file that is found by the hash of its name. Debian's curl trusts them, and reads a bundle of all first.
my $authorities = '/etc/ssl/certs';
# As long as no more files of the log wait, this one's packing gives way to the server's own work. It keeps a third of
# the usual share of processors, so that it comes to its end on a machine that is always busy.
my $few = 2;
# A storage that stands still is given up in 15 s. One that is slow gets the time to take a segment of 16 MB at 30 kB/s;
# a server that is stopped waits for it.
my $longest = 600;
# Beyond the limit the bucket is asked this often only, in s: a server may write faster than it is asked in vain.
my $pause = 60;
my ($book, $ticket, $authority, $curl, $limit);
# Code 1 makes PostgreSQL try again; a signal or a code above 125 would make its archiver give up.
$SIG{__DIE__} = sub {
    print STDERR "archive-wal: $_[0]";
    my $why = too_much();
    exit 1 if !$why;
    open my $note, '>', "$folder/refused";
    let_go($why);
};
# curl may be gone when it is told what to do. What is started here does not inherit a handler.
$SIG{PIPE} = sub { };
# One that was started and has nothing to do; perl would wait for it.
END { kill 'KILL', $curl->{child} if $curl && $$ == $own }

# What a base backup's manifest says already, and the unfinished segment of a timeline that was left.
exit 0 if $name =~ /\.(?:backup|partial)\z/;
die "$name: not the name of a segment\n" unless $name =~ /\A[0-9A-F]{8}(?:[0-9A-F]{16}|\.history)\z/;
$limit = 9**9**9;

not_kept() if !-e "$folder/tickets";
$ticket = ticket($name);
if (abs(time - ((stat "$folder/refused")[9] // 0)) < $pause) {
    my $why = too_much();
    let_go($why) if $why;
}
# Started before it is needed: it gets ready while the segment is packed.
$authority = an_authority() if $book->{folder} =~ /\Ahttps:/;
$curl = start_curl();
my ($packed, $md5) = pack_segment();
my ($md5_base64, $md5_hex) = ($md5->clone->b64digest . '==', $md5->hexdigest);
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

# What was taken stays packed: PostgreSQL has not noted it yet.
sub done { exit 0 }

# Files of the log that wait to be taken; the working directory is the data directory.
sub waiting {
    return map { s/\.ready\z//r } grep { /\.ready\z/ } names_in('pg_wal/archive_status');
}

# glob would load a module for it.
sub names_in {
    my ($place) = @_;
    opendir my $all, $place or return;
    return readdir $all;
}

# What is packed of files that wait no more, some at a time: PostgreSQL does not see to it that its notes outlast the machine's
# end, and to wait for the disk takes as long as much of the rest here.
sub forget_noted {
    my ($least) = @_;
    my %waits = map { $_ => 1 } waiting();
    my @noted = grep { /\A(.+?)\.\d/ && $1 ne $name && !$waits{$1} } names_in("$folder/spool");
    unlink map { "$folder/spool/$_" } @noted if @noted >= $least && synced('pg_wal/archive_status');
}

# Why the log can wait no longer, where that is so.
sub too_much {
    return if !defined $limit;
    my $bytes = 0;
    $bytes += -s "pg_wal/$_" || 0 for waiting();
    return "more than $limit bytes of the log wait" if $bytes > $limit;
    open my $df, '-|', 'df', '-B1', '--output=avail', 'pg_wal/.' or return;
    my $free = (<$df>)[1];
    return "$bytes bytes of the log wait, and fewer are free" if defined $free && $bytes > $free;
    return;
}

sub let_go {
    my ($why) = @_;
    forget_noted(1);
    open my $out, '>>', "$folder/dropped" or exit 1;
    print $out "$name\n";
    close $out or exit 1;
    print STDERR "archive-wal: $name is LOST to recovery: $why\n";
    exit 0;
}

# Where there are no tickets, and nobody needs the log.
sub not_kept {
    return if -e '${ARCHIVE_MARK}';
    print STDERR "archive-wal: $name is not kept: no backup was made yet\n";
    exit 0;
}

# The identifier of the data, which the server writes first in its control file.
sub system_of_data {
    my $file = 'global/pg_control';
    open my $in, '<:raw', $file or die "$file: $!\n";
    (read $in, my $bytes, 8) == 8 or die "$file: too short\n";
    return unpack 'Q', $bytes;
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
    $limit = $head{limit};
    my $system = system_of_data();
    if (($head{system} // $system) ne $system) {
        not_kept();
        die "$wanted: the tickets in $file are for the data $head{system}, and these are $system; run the backup, which writes new ones\n";
    }
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
# Gives the file, and the MD5 of it. With age it is on the disk by then, under its name, and so is the time in it; without,
# the same comes of the segment once more, so that nothing hangs on it.
sub pack_segment {
    my $time = (stat $path)[9] // die "$path: $!\n";
    my $file = "$folder/spool/$name.$time";
    my $md5 = -e $file ? passed(opened($file)) : pack_into($file);
    keep("$folder/spool");
    return ($file, $md5);
}

sub opened {
    my ($file) = @_;
    open my $in, '<:raw', $file or die "$file: $!\n";
    return $in;
}

sub pack_into {
    my ($file) = @_;
    unlink map { "$folder/spool/$_" } grep { index($_, "$name.") == 0 } names_in("$folder/spool");
    open my $out, '>:raw', "$file.new" or die "$file.new: $!\n";
    # Two threads make the same of a segment as one does, in half the time.
    my @programs = (['zstd', '-q', '-3', '-T2', '-c', '--', $path]);
    push @programs, ['age', '-r', $book->{recipient}] if $book->{recipient};
    my ($in, @children) = start_all(@programs);
    forget_noted(8);
    my $md5 = passed($in, $out, "$file.new");
    for my $child (@children) {
        waitpid $child->[0], 0;
        die "$name: $child->[1] failed; is the disk full?\n" if $?;
    }
    close $out or die "$file.new: $!\n";
    keep("$file.new", $path);
    rename "$file.new", $file or die "$file: $!\n";
    return $md5;
}

sub keep {
    return if !$book->{recipient};
    for my $one (@_) { synced($one) or die "$one: $!\n" }
}

# Has a file, or the names in a folder, outlast the end of the machine.
sub synced {
    my ($file) = @_;
    load('IO/Handle.pm');
    open my $in, '<', $file or return;
    return $in->sync;
}

# Starts programs as a pipe, without a shell. Gives what can be read of the last one, and the children.
sub start_all {
    my $gives_way = (() = waiting()) <= $few;
    # Where processors are shared out among sessions (autogroup), a priority counts within one only. PostgreSQL makes one of each of
    # its processes; this gets one as well, which has the priority too.
    my @before = $gives_way ? ('setsid', 'sh', '-c', '{ echo 5 > /proc/self/autogroup; } 2> /dev/null; exec "$@"', 'sh') : ();
    my ($input, @children);
    for my $program (@_) {
        pipe my $reader, my $writer or die "pipe: $!\n";
        my $child = fork // die "fork: $!\n";
        if (!$child) {
            setpriority 0, 0, 5 + getpriority 0, 0 if $gives_way;
            open STDIN, '<&', $input or exit 127 if $input;
            open STDOUT, '>&', $writer or exit 127;
            my @command = (@before, @$program);
            exec { $command[0] } @command or exit 127;
        }
        push @children, [$child, $program->[0]];
        $input = $reader;
    }
    return ($input, @children);
}

# A module may fail within, and try something else.
sub load {
    my ($module) = @_;
    eval { local $SIG{__DIE__}; require $module } or die "$module: $@";
}

# Reads to the end, and writes it where that is wanted. Gives the MD5 of it.
sub passed {
    my ($in, $out, $file) = @_;
    load('Digest/MD5.pm');
    my $md5 = Digest::MD5->new;
    while (1) {
        my $count = sysread($in, my $chunk, 65_536) // die "$name: $!\n";
        return $md5 if !$count;
        $md5->add($chunk);
        !$out || print $out $chunk or die "$file: $!\n";
    }
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
    my $line = answer_to($config);
    if ($authority && ($? >> 8 == 60 || $? >> 8 == 77)) {
        # Only the bundle names who vouches for the storage.
        undef $authority;
        $line = answer_to($config);
    }
    my ($status, $etag) = $line =~ /\A(\d+) "?([0-9a-f]*)"?/ or return (0, '');
    return (0 + $status, $etag);
}

# What curl writes about a request; how it ended is in $?.
sub answer_to {
    my ($config) = @_;
    my $asked = $curl // start_curl();
    undef $curl;
    print { $asked->{to} } $config;
    close $asked->{to};
    my $from = $asked->{from};
    my $line = <$from> // '';
    close $from;
    return $line;
}

# A curl that waits for what to do.
sub start_curl {
    my @curl = ('curl', '-q', '--silent', '--connect-timeout', '5', '--max-time', $longest, '--speed-limit', '1024',
        '--speed-time', '15', '--output', '/dev/null', '--write-out', '%{http_code} %header{etag}', '--config', '-');
    push @curl, '--capath', $authorities, '--cacert', $authority if $authority;
    pipe my $from_us, my $to or die "pipe: $!\n";
    my $child = open my $from, '-|';
    die "fork: $!\n" unless defined $child;
    if (!$child) {
        open STDIN, '<&', $from_us or exit 127;
        exec { $curl[0] } @curl or exit 127;
    }
    return { child => $child, to => $to, from => $from };
}

# The file of any one authority: curl reads all of it, and of the others in the folder only what it looks for there. That
# is a third of its work.
sub an_authority {
    opendir my $all, $authorities or return undef;
    while (defined(my $one = readdir $all)) {
        return "$authorities/$one" if $one =~ /\.0\z/;
    }
    return undef;
}
`;
