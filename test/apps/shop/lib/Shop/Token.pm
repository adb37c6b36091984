package Shop::Token;
use v5.36;

use Exporter qw(import);

our @EXPORT_OK = qw(token);

# 32 hexadecimal digits that nobody guesses and no other worker gets.
sub token () {
    open my $file, '<:raw', '/dev/urandom' or die "/dev/urandom: $!\n";
    my $length = sysread $file, my $bytes, 16;
    die "/dev/urandom: too short\n" unless defined $length && $length == 16;
    return unpack 'H*', $bytes;
}

1;
