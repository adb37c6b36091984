import { HOST_PROGRAM } from '../host-program.js';

/**
 * Runs on the host as the user `redis`: writes what a new replica would be sent to its standard output, as it stands at
 * one moment. `redis-check-rdb` reads along, so that nothing is stored that Redis would not take back.
 *
 * redis-cli ends a stream whose length Redis did not know beforehand with a mark of 40 bytes, which is no part of it: here
 * it is cut off. The password stands in files that Redis itself reads, and reaches redis-cli in its environment.
 *
 * Arguments: port; files that may hold the password as `masterauth`, the likely one first. Output on the standard error: a
 * line of JSON (`Snapshot`) at the end, or why there is none.
 */
export const SNAPSHOT_PROGRAM =
  HOST_PROGRAM +
  String.raw`
my ($port, @files) = @ARGV;

my %escaped = (n => "\n", r => "\r", t => "\t", a => "\a", b => "\b");
sub unquoted {
    my ($word) = @_;
    return $word unless $word =~ s/\A"(.*)"\z/$1/s;
    $word =~ s/\\(x[0-9a-f]{2}|.)/length $1 > 1 ? chr hex substr $1, 1 : $escaped{$1} \/\/ $1/ge;
    return $word;
}
sub passwords {
    my @found;
    for my $file (@files) {
        open my $handle, '<', $file or next;
        while (my $line = <$handle>) { push @found, unquoted($1) if $line =~ /^masterauth (.*)$/ }
    }
    return @found;
}
sub info {
    open my $cli, '-|', 'sh', '-c', 'exec redis-cli -p "$0" INFO 2>&1', $port or fail("redis-cli: $!");
    my $text = join '', <$cli>;
    close $cli;
    return { said => $text, map { /^(\w+):(.*?)\r?$/ ? ($1, $2) : () } split /\n/, $text };
}
sub keys_of {
    my ($info) = @_;
    my %keys;
    for my $name (keys %$info) { $keys{$1} = 0 + $2 if "$name $info->{$name}" =~ /^db(\d+) keys=(\d+)/ }
    return \%keys;
}
# A program with its standard output, or also its input, in our hands; its standard error is read at its end.
sub started {
    my ($feeds, @argv) = @_;
    pipe my $in, my $to or fail("pipe: $!");
    pipe my $from, my $out or fail("pipe: $!");
    pipe my $err, my $child_err or fail("pipe: $!");
    my $child = fork // fail("fork: $!");
    if (!$child) {
        $SIG{$_} = 'DEFAULT' for qw(TERM INT HUP PIPE);
        close $to;
        dup2(fileno $in, 0) if $feeds;
        dup2(fileno $out, 1);
        dup2(fileno($feeds ? $out : $child_err), 2);
        exec { $argv[0] } @argv or POSIX::_exit(127);
    }
    push @started, $child;
    close $_ for $in, $out, $child_err, $feeds ? () : $to;
    return { to => $to, from => $from, err => $err, child => $child };
}
sub ended {
    my ($program) = @_;
    waitpid $program->{child}, 0;
    return $?;
}
# As the snapshot itself says it: numbers stand there in one to four bytes, or as text.
sub offset_in {
    my ($head) = @_;
    return undef unless $head =~ /\xfa\x0brepl-offset(.)(.{8,})/s;
    my ($kind, $rest) = (ord $1, $2);
    return unpack 'c', $rest if $kind == 0xc0;
    return unpack 's<', $rest if $kind == 0xc1;
    return unpack 'l<', $rest if $kind == 0xc2;
    return $kind < 0x40 && substr($rest, 0, $kind) =~ /\A(\d+)\z/ ? 0 + $1 : undef;
}

my $before = { said => 'no password is known' };
for my $password (passwords()) {
    $ENV{REDISCLI_AUTH} = $password;
    $before = info();
    last if $before->{redis_version};
}
fail("Redis does not answer as it should: " . ($before->{said} =~ s/\s+/ /gr)) unless $before->{redis_version};

my $cli = started(0, 'redis-cli', '-p', $port, '--rdb', '-');
my $check = started(1, 'redis-check-rdb', '/dev/stdin');
my $mark = 40;
my ($held, $head, $bytes, $after) = ('', '', 0);
sub pass {
    my ($chunk) = @_;
    return if $chunk eq '';
    $bytes += length $chunk;
    write_all(\*STDOUT, $chunk) or fail('nobody takes the snapshot any more');
    write_all($check->{to}, $chunk) or fail('redis-check-rdb stopped reading: ' . last_of($check->{from}));
}
sub last_of {
    my ($handle) = @_;
    my @lines = grep { /\S/ } <$handle>;
    return @lines ? $lines[-1] =~ s/\s+\z//r : 'it said nothing';
}
while (my $read = sysread $cli->{from}, my $chunk, 1048576) {
    $after //= keys_of(info());
    $head .= substr $chunk, 0, 4096 - length $head if length $head < 4096;
    $held .= $chunk;
    pass(substr $held, 0, length($held) - $mark, '') if length $held > $mark;
}
my @said = readline $cli->{err};
fail('redis-cli: ' . (@said ? $said[-1] =~ s/\s+\z//r : 'it said nothing')) if ended($cli);
pass($held) unless grep { /until EOF marker/ } @said;
fail('redis-cli gave something else than a snapshot') unless $head =~ /\AREDIS\d{4}/;
close $check->{to};
my @checked = readline $check->{from};
my $status = ended($check);
my ($keys) = join('', @checked) =~ /(\d+) keys read/;
fail('redis-check-rdb: ' . (@checked ? $checked[-1] =~ s/\s+\z//r : 'it said nothing')) if $status || !defined $keys;
close STDOUT or fail("the snapshot was not taken to its end: $!");
my ($id) = $head =~ /\xfa\x07repl-id\x28([0-9a-f]{40})/;
print STDERR $json->encode({
    version => $before->{redis_version},
    replicationId => $id // $before->{master_replid},
    offset => 0 + (offset_in($head) // $before->{master_repl_offset}),
    memoryBytes => 0 + $before->{used_memory},
    bytes => $bytes,
    keys => 0 + $keys,
    before => keys_of($before),
    after => $after,
}), "\n";
`;
