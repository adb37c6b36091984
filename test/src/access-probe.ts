/**
 * Listens on every port given as an argument, on all addresses, and takes connections until it is killed. For a host's
 * own perl, which has few modules.
 */
export const LISTEN = String.raw`
use strict;
use warnings;
use IO::Select;
use IO::Socket::INET;
my $select = IO::Select->new(map {
    IO::Socket::INET->new(LocalAddr => '0.0.0.0', LocalPort => $_, Listen => 64, ReuseAddr => 1) or die "$_: $@\n"
} @ARGV);
while (1) { close $_->accept for $select->can_read }
`;

/**
 * Dials, from the address that is its first argument, every ADDRESS:PORT of the others, all at once. Prints for each a
 * line of it and what came of it: "open", "refused", or "silent" after three seconds or four.
 */
export const DIAL = String.raw`
use strict;
use warnings;
use Errno qw(EINPROGRESS ECONNREFUSED);
use Socket;
my $source = shift;
my %target;
for my $target (@ARGV) {
    my ($address, $port) = split /:/, $target;
    socket my $socket, PF_INET, SOCK_STREAM | Socket::SOCK_NONBLOCK(), 0 or die "socket: $!\n";
    bind $socket, sockaddr_in(0, inet_aton($source)) or die "$source: $!\n";
    my $done = connect $socket, sockaddr_in($port, inet_aton($address));
    die "$target: $!\n" if !$done && !$!{EINPROGRESS} && !$!{ECONNREFUSED};
    $target{fileno $socket} = [$target, $socket];
}
my $deadline = time + 4;
while (%target && (my $left = $deadline - time) > 0) {
    my $bits = '';
    vec($bits, $_, 1) = 1 for keys %target;
    next if select(undef, $bits, undef, $left) <= 0;
    for my $number (grep { vec $bits, $_, 1 } keys %target) {
        my ($target, $socket) = @{ delete $target{$number} };
        my $error = unpack 'i', getsockopt $socket, SOL_SOCKET, SO_ERROR;
        print "$target ", $error == 0 ? 'open' : $error == ECONNREFUSED ? 'refused' : "error $error", "\n";
    }
}
print "$_->[0] silent\n" for values %target;
`;

/** Takes one connection on port 8124, says so by /run/asked, and answers when there is a file /run/answer. */
export const ANSWER_LATE = String.raw`
use strict;
use warnings;
use IO::Socket::INET;
my $listener = IO::Socket::INET->new(LocalPort => 8124, Listen => 1) or die "$@\n";
my $client = $listener->accept;
open my $asked, '>', '/run/asked' or die "$!\n";
select undef, undef, undef, 0.1 until -e '/run/answer';
print $client "late\n";
`;
