/**
 * What the programs begin with that the runner starts on a host and talks with in lines of JSON: `report` says one,
 * `fail` ends with a reason, and whatever was `@started` ends with the program, however that does.
 */
export const HOST_PROGRAM = String.raw`use strict;
use warnings;
use Digest::MD5;
use Digest::SHA;
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
sub report { print $json->encode($_[0]), "\n" or exit 1 }

# Tells a line that a program said, and keeps it as its last word. age ends with an address where to complain, after the reason.
sub says {
    my ($program, $line) = @_;
    $program->{last} = $line if $line =~ /\S/ && $line !~ m{age/report};
    report({ says => [$program->{name}, $line] });
}

# Why a program that has ended failed; undefined when it did not.
sub fault_of {
    my ($program, $status) = @_;
    my $code = $status >> 8 || $status & 127;
    return $code ? "$program->{name} failed with code $code: " . ($program->{last} // 'it said nothing') : undef;
}
`;
