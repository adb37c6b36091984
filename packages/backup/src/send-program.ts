import { HOST_PROGRAM } from './host-program.js';

/**
 * Runs on the host: cuts what a chain of programs writes into parts and sends several at once to the bucket, by URLs
 * that it is given on its standard input and that each take one part. Nothing of it stays: a part waits in a file
 * without a name, which is gone with the process however that ends, and the end of the input, which is what a runner
 * that was killed leaves, ends it and all it started.
 *
 * Input: a line of JSON (`SendSpec`), then a line `{"part", "url"}` for each `{"want"}`.
 * Output: lines of JSON, `{"want": N}`, `{"sent": …}`, `{"at": BYTES}`, `{"says": [PROGRAM, LINE]}`, `{"done": …}`.
 */
export const SEND_PROGRAM =
  HOST_PROGRAM +
  String.raw`
# Lines of a handle that select watches, so without Perl's own buffer.
my %rest;
sub lines_of {
    my ($handle) = @_;
    my $read = sysread $handle, my $chunk, 65536;
    return undef if !$read;
    $rest{$handle} .= $chunk;
    my @lines;
    push @lines, $1 while $rest{$handle} =~ s/\A([^\n]*)\n//;
    return \@lines;
}

my @early;
until (@early) {
    my $lines = lines_of(\*STDIN) or fail('no input');
    push @early, @$lines;
}
my $spec = $json->decode(shift @early);

# A program that is told a secret finds it at /dev/fd/4, which is a pipe.
sub start {
    my ($argv, $in, $out, $err, $told) = @_;
    my ($secret, $teller);
    if (defined $told) { pipe $secret, $teller or fail("pipe: $!") }
    my $child = fork // fail("fork: $!");
    if (!$child) {
        $SIG{$_} = 'DEFAULT' for qw(TERM INT HUP PIPE);
        my $held = $secret && fcntl $secret, 0, 10;
        dup2(fileno $in, 0);
        dup2(fileno $out, 1);
        dup2(fileno $err, 2);
        dup2($held, 4) if $secret;
        exec { $argv->[0] } @$argv or POSIX::_exit(127);
    }
    push @started, $child;
    if ($teller) {
        close $secret;
        syswrite $teller, $told;
        close $teller;
    }
    return $child;
}

open my $null, '<', '/dev/null' or fail("/dev/null: $!");
my $watched = IO::Select->new(\*STDIN);
my (%program, $data);
my $previous = $null;
for my $argv (@{ $spec->{programs} }) {
    pipe my $out, my $child_out or fail("pipe: $!");
    pipe my $err, my $child_err or fail("pipe: $!");
    my $pid = start($argv, $previous, $child_out, $child_err, delete $spec->{secret});
    $program{$pid} = { name => $argv->[0] =~ s{.*/}{}r, err => $err };
    $watched->add($err);
    close $child_out;
    close $child_err;
    close $previous;
    $previous = $data = $out;
}

my ($size, $parts, $reading) = (0, 0, 1);
my $sha = sha256();
my ($part, %ready, %sending);
my $started = time;
my $told = 0;
$watched->add($data);

while ($reading || %ready || %sending) {
    my $room = !$part || keys(%ready) + keys(%sending) < $spec->{parallel};
    my $ahead = $spec->{rate} ? $size / $spec->{rate} - (time - $started) : 0;
    $watched->remove($data);
    $watched->add($data) if $reading && $room && $ahead <= 0;
    take_ticket($_) for splice @early;
    for my $handle ($watched->can_read($ahead > 0 ? ($ahead < 1 ? $ahead : 1) : 5)) {
        if ($handle == \*STDIN) {
            my $lines = lines_of($handle) or fail('the runner is gone');
            take_ticket($_) for @$lines;
        }
        elsif ($handle == $data) { take_data() }
        elsif (my ($number) = grep { $sending{$_}{answer} == $handle } keys %sending) { take_answer($number) }
        else { take_words($handle) }
    }
    if (time - $told > 1) {
        $told = time;
        report({ at => $size });
    }
}
for my $pid (sort { $a <=> $b } keys %program) {
    waitpid $pid, 0;
    my $status = $?;
    while (my $lines = lines_of($program{$pid}{err})) { says($program{$pid}, $_) for @$lines }
    my $fault = fault_of($program{$pid}, $status);
    fail($fault) if defined $fault;
}
report({ done => { size => $size, parts => $parts, sha256 => hexdigest($sha) } });
exit 0;

sub take_words {
    my ($handle) = @_;
    my ($pid) = grep { $program{$_}{err} == $handle } keys %program;
    my $lines = lines_of($handle);
    return $watched->remove($handle) if !$lines;
    says($program{$pid}, $_) for @$lines;
}

sub take_data {
    if (!$part) {
        my $file = "$spec->{spool}/perlstack-part.$$";
        open my $handle, '+>', $file or fail("$file: $!");
        unlink $file;
        $part = { number => ++$parts, size => 0, handle => $handle };
    }
    my $most = $spec->{partBytes} - $part->{size};
    my $read = sysread $data, my $chunk, $most < 1048576 ? $most : 1048576;
    fail("reading: $!") unless defined $read;
    if ($read) {
        write_all($sha->{feed}, $chunk) or fail("sha256sum: $!");
        write_all($part->{handle}, $chunk) or fail("$spec->{spool}: $!");
        $part->{size} += $read;
        $size += $read;
    }
    else { $reading = 0 }
    return if $part->{size} < $spec->{partBytes} && $reading;
    if ($part->{size}) {
        $ready{ $part->{number} } = $part;
        report({ want => $part->{number} });
    }
    else { $parts-- }
    $part = undef;
}

sub take_ticket {
    my $ticket = $json->decode($_[0]);
    my $number = $ticket->{part};
    my $one = delete $ready{$number} or return;
    pipe my $answer, my $out or fail("pipe: $!");
    my $child = fork // fail("fork: $!");
    if (!$child) {
        $SIG{$_} = 'DEFAULT' for qw(TERM INT HUP PIPE);
        close $answer;
        syswrite $out, send_part($one, $ticket->{url}) . "\n";
        POSIX::_exit(0);
    }
    push @started, $child;
    close $out;
    $sending{$number} = { %$one, answer => $answer, child => $child };
    $watched->add($answer);
}

sub take_answer {
    my ($number) = @_;
    my $one = delete $sending{$number};
    $watched->remove($one->{answer});
    my $answer = $one->{answer};
    my ($status, $md5, $etag) = split / /, (<$answer> // "0 - -\n") =~ s/\n//r;
    waitpid $one->{child}, 0;
    if ($status == 200) { return report({ sent => { part => 0 + $number, size => $one->{size}, md5 => $md5, etag => $etag } }) }
    fail("part $number: the upload is not there any more (404): it was ended by somebody else") if $status == 404;
    # A ticket that is too old is worth another, a damaged transfer another try.
    if (($status == 403 || $status == 400) && ++$one->{again} < 3) {
        $ready{$number} = $one;
        return report({ want => 0 + $number });
    }
    fail("part $number: the bucket answers $status " . ($status ? 'and takes nothing' : '(no answer)') . ', after several tries');
}

# In a process of its own: asks until the bucket takes the part or says why it never will.
sub send_part {
    my ($one, $url) = @_;
    seek $one->{handle}, 0, 0;
    my $md5 = Digest::MD5->new->addfile($one->{handle});
    my $hex = $md5->clone->hexdigest;
    my $config = "url = \"$url\"\nupload-file = \"/dev/fd/" . fileno($one->{handle}) . "\"\nheader = \"Content-MD5: " . $md5->b64digest . "==\"\n"
        . "header = \"Expect:\"\nheader = \"Content-Type:\"\n";
    my ($status, $etag) = (0, '-');
    for my $try (0 .. $spec->{tries} - 1) {
        sleep(0.25 * 2**$try * (0.5 + rand)) if $try;
        ($status, $etag) = ask($config, $one->{handle});
        last if $status == 200 || $status >= 400 && $status < 500 && $status != 408 && $status != 429;
    }
    return "$status $hex " . ($etag || '-');
}

sub ask {
    my ($config, $handle) = @_;
    pipe my $in, my $to_curl or return 0;
    pipe my $from_curl, my $out or return 0;
    my $child = fork // return 0;
    if (!$child) {
        dup2(fileno $in, 0);
        dup2(fileno $out, 1);
        # Perl closes its own handles at exec otherwise.
        fcntl $handle, 2, 0;
        exec 'curl', '-q', '--silent', '--connect-timeout', '10', '--speed-limit', '1024', '--speed-time', $spec->{silence},
            '--output', '/dev/null', '--write-out', '%{http_code} %header{etag}', '--config', '-'
            or POSIX::_exit(127);
    }
    # Whoever ends this process means its request too.
    local $SIG{TERM} = sub { kill 'TERM', $child; POSIX::_exit(143) };
    close $in;
    close $out;
    syswrite $to_curl, $config;
    close $to_curl;
    my $line = <$from_curl> // '';
    waitpid $child, 0;
    my ($status, $etag) = $line =~ /\A(\d+) "?([0-9a-f]*)"?/ or return 0;
    return (0 + $status, $etag);
}
`;
