import { HOST_PROGRAM } from './host-program.js';

/**
 * Runs on the host: feeds an object of the bucket to a chain of programs, such as age, zstd and tar. A transfer that
 * breaks off goes on where it was, by a new request for the rest; what comes is counted and hashed on its way, and a
 * chain that was fed something else than the manifest says has failed, whatever its programs thought of it.
 *
 * Input: a line of JSON (`FetchSpec`); its secrets, the URL and the identity, stand in no argument and no file.
 * Output: lines of JSON, `{"at": BYTES}`, `{"says": [PROGRAM, LINE]}`, `{"done": {"size", "sha256"}}`.
 */
export const FETCH_PROGRAM =
  HOST_PROGRAM +
  String.raw`
my $spec = $json->decode(scalar <STDIN> // fail('no input'));

# Programs that read a secret find it at /dev/fd/4, which is a pipe.
sub start {
    my ($argv, $in, $out, $err) = @_;
    pipe my $secret, my $teller or fail("pipe: $!");
    my $child = fork // fail("fork: $!");
    if (!$child) {
        $SIG{$_} = 'DEFAULT' for qw(TERM INT HUP PIPE);
        close $teller;
        my $held = fcntl $secret, 0, 10;
        dup2(fileno $in, 0);
        dup2(fileno $out, 1) if $out;
        dup2(fileno $err, 2) if $err;
        dup2($held, 4);
        exec { $argv->[0] } @$argv or POSIX::_exit(127);
    }
    push @started, $child;
    close $secret;
    syswrite $teller, $spec->{secret} if defined $spec->{secret};
    close $teller;
    return $child;
}

my ($feed, %program);
{
    pipe my $in, $feed or fail("pipe: $!");
    my @programs = @{ $spec->{programs} };
    while (my $argv = shift @programs) {
        my ($next, $out);
        if (@programs) { pipe $next, $out or fail("pipe: $!") }
        else { open $out, '>', '/dev/null' or fail("/dev/null: $!") }
        pipe my $err, my $child_err or fail("pipe: $!");
        my $pid = start($argv, $in, $out, $child_err);
        $program{$pid} = { name => $argv->[0] =~ s{.*/}{}r, err => $err, order => scalar keys %program };
        close $_ for $in, $out, $child_err;
        $in = $next;
    }
}

my ($size, $told, $lost, $fed) = (0, 0, 0, 1);
my $sha = sha256();
while ($fed && $size < $spec->{size}) {
    my $before = $size;
    my $why = transfer();
    last if $size >= $spec->{size} || !$fed;
    $lost = $size > $before ? 0 : $lost + 1;
    fail("the bucket refuses the URL after $size of $spec->{size} bytes (403): the URL is older than a week, or its key was withdrawn since; run this again for a new one")
        if $why =~ /^403/;
    fail("the bucket sent $size of $spec->{size} bytes, and no more after several tries: $why") if $lost == $spec->{tries} || $why =~ /^40[0-79]/;
    sleep(0.25 * 2**$lost);
}
close $feed;
my @faults;
for my $pid (sort { $program{$a}{order} <=> $program{$b}{order} } keys %program) {
    my $err = $program{$pid}{err};
    while (my $line = <$err>) {
        chomp $line;
        says($program{$pid}, $line);
    }
    waitpid $pid, 0;
    my $fault = fault_of($program{$pid}, $?);
    push @faults, $fault if defined $fault;
}
my $seen = hexdigest($sha);
fail("the object is not what was stored: SHA-256 $seen, and its manifest says $spec->{sha256}; " . join('; ', @faults))
    if $size == $spec->{size} && $spec->{sha256} && $seen ne $spec->{sha256};
fail(join '; ', @faults) if @faults;
fail("the programs stopped reading after $size of $spec->{size} bytes") if $size < $spec->{size};
report({ done => { size => $size, sha256 => $seen } });
exit 0;

# One request for what is missing; gives why it ended.
sub transfer {
    pipe my $in, my $to_curl or fail("pipe: $!");
    pipe my $body, my $out or fail("pipe: $!");
    pipe my $err, my $child_err or fail("pipe: $!");
    my $child = fork // fail("fork: $!");
    if (!$child) {
        $SIG{$_} = 'DEFAULT' for qw(TERM INT HUP PIPE);
        dup2(fileno $in, 0);
        dup2(fileno $out, 1);
        dup2(fileno $child_err, 2);
        exec 'curl', '-q', '--silent', '--fail', '--connect-timeout', '10', '--speed-limit', '1024', '--speed-time', $spec->{silence},
            '--write-out', '%{stderr}%{http_code}', '--config', '-' or POSIX::_exit(127);
    }
    push @started, $child;
    close $_ for $in, $out, $child_err;
    syswrite $to_curl, "url = \"$spec->{url}\"\nrange = \"$size-\"\n";
    close $to_curl;
    while (my $read = sysread $body, my $chunk, 1048576) {
        # An endpoint that ignores ranges would send the beginning again.
        write_all($sha->{feed}, $chunk) or fail("sha256sum: $!");
        $size += $read;
        $fed = write_all($feed, $chunk);
        last if !$fed;
        if (time - $told > 1) {
            $told = time;
            report({ at => $size });
        }
    }
    kill 'TERM', $child if !$fed;
    my $why = <$err> // '';
    waitpid $child, 0;
    my $code = $? >> 8;
    return $why . ($code ? " (curl $code)" : '');
}
`;
