package Shop::Orders;
use v5.36;

use Fcntl qw(O_APPEND O_CREAT O_WRONLY);

# Every order that was carried out is one line of the journal, so that a lost one is missing and one that was
# carried out twice stands there twice.
sub new ($class, $path) { bless { path => $path }, $class }

sub is_id ($class, $id) { defined $id && !ref $id && $id =~ /\A[A-Za-z0-9._-]{1,64}\z/ }

# One write to a file opened for appending: lines of several workers never mix.
sub store ($self, $id) {
    sysopen my $file, $self->{path}, O_WRONLY | O_APPEND | O_CREAT, 0640
      or die "$self->{path}: $!\n";
    my $line = "$id\n";
    my $written = syswrite $file, $line;
    die "$self->{path}: $!\n" unless defined $written && $written == length $line;
    close $file or die "$self->{path}: $!\n";
}

1;
