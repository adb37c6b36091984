package Shop::Patience;
use v5.36;

use Exporter qw(import);
use Time::HiRes qw(clock_gettime sleep CLOCK_MONOTONIC);

our @EXPORT_OK = qw(now rest);

use constant LONGEST_MS => 60_000;

# Milliseconds of a clock that nobody sets.
sub now () { 1_000 * clock_gettime(CLOCK_MONOTONIC) }

# Waits for so many milliseconds, at most a minute, whatever signals arrive; returns how many it were to be.
sub rest ($ms) {
    $ms = $ms =~ /\A\d{1,9}\z/ ? $ms : 0;
    $ms = LONGEST_MS if $ms > LONGEST_MS;
    my $end = now() + $ms;
    while ((my $left = $end - now()) > 0) { sleep($left / 1_000) }
    return 0 + $ms;
}

1;
