/**
 * What the programs begin with that the runner starts on a host and talks with in lines of JSON: `report` says one,
 * `fail` ends with a reason, and whatever was `@started` ends with the program, however that does.
 */
export const HOST_PROGRAM = String.raw`use strict;
use warnings;
use Digest::MD5;
use IO::Handle;
use IO::Select;
use JSON::PP;
use POSIX qw(dup2);
use Time::HiRes qw(time sleep);

my $json = JSON::PP->new->canonical;
$| = 1;
umask 0077;
$SIG{PIPE} = 'IGNORE';
my @started;
my $leader = $$;
$SIG{$_} = sub { exit 143 } for qw(TERM INT HUP);
END {
    if ($leader == $$) {
        my $code = $?;
        kill 'TERM', @started if @started;
        $? = $code;
    }
}
sub fail { print STDERR "$_[0]\n"; exit 1 }
sub write_all {
    my ($handle, $bytes) = @_;
    my $at = 0;
    while ($at < length $bytes) {
        my $wrote = syswrite $handle, $bytes, length($bytes) - $at, $at;
        return 0 unless $wrote;
        $at += $wrote;
    }
    return 1;
}

# SHA-256 of what is written to it, by a program that uses what the processor has for it: four times as fast as Perl's own.
sub sha256 {
    pipe my $in, my $feed or fail("pipe: $!");
    pipe my $answer, my $out or fail("pipe: $!");
    my $child = fork // fail("fork: $!");
    if (!$child) {
        $SIG{$_} = 'DEFAULT' for qw(TERM INT HUP PIPE);
        dup2(fileno $in, 0);
        dup2(fileno $out, 1);
        exec 'sha256sum' or POSIX::_exit(127);
    }
    push @started, $child;
    return { feed => $feed, answer => $answer, child => $child };
}
sub hexdigest {
    my ($sha) = @_;
    close $sha->{feed};
    my $line = readline($sha->{answer}) // '';
    waitpid $sha->{child}, 0;
    return $line =~ /\A([0-9a-f]{64})/ ? $1 : fail('sha256sum gave no digest');
}
sub report { print $json->encode($_[0]), "\n" or exit 1 }

# Tells a line that a program said, and keeps it as its last word. age and tar end with one that gives no reason, after the one that does.
sub says {
    my ($program, $line) = @_;
    $program->{last} = $line if $line =~ /\S/ && $line !~ m{age/report|Exiting with failure status};
    report({ says => [$program->{name}, $line] });
}

# Why a program that has ended failed; undefined when it did not.
sub fault_of {
    my ($program, $status) = @_;
    my $code = $status >> 8 || $status & 127;
    return $code ? "$program->{name} failed with code $code: " . ($program->{last} // 'it said nothing') : undef;
}
`;
