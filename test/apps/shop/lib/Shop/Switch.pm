package Shop::Switch;
use v5.36;

use File::Basename qw(basename dirname);
use Shop::Patience qw(rest);

# What a release is made to do wrong, as its release.conf says:
#
#   fault   = none             nothing
#             broken-syntax    does not compile
#             dies             compiles, but dies while it is loaded
#             hang             never finishes loading
#             unhealthy        /healthz answers 503
#             unhealthy-later  /healthz answers 500 once the release is the active one
#             fails-later      every request is answered with 500 once the release is the active one
#             fails-some       a fifth of all requests but /healthz and /version, once the release is the active one
#   boot_ms = 1500             loading takes that long
my %FAULTS = map { $_ => 1 }
  qw(none broken-syntax dies hang unhealthy unhealthy-later fails-later fails-some);

sub read ($class, $home) {
    my %self = (fault => 'none', boot_ms => 0, home => $home);
    if (open my $file, '<', "$home/release.conf") {
        while (my $line = <$file>) {
            $self{$1} = $2 if $line =~ /^\s*(\w+)\s*=\s*(\S+)/;
        }
    }
    die "release.conf: unknown fault $self{fault}\n" unless $FAULTS{ $self{fault} };
    return bless \%self, $class;
}

# A real syntax error, seen by `perl -c` too.
sub at_compile ($self) {
    return unless $self->{fault} eq 'broken-syntax';
    eval "#line 1 lib/Shop/Checkout.pm\nsub total { my \$sum = ; }\n1" or die $@;
}

sub at_start ($self) {
    rest($self->{boot_ms});
    die "the application gives up while it is loaded\n" if $self->{fault} eq 'dies';
    sleep 3600 while $self->{fault} eq 'hang';
}

sub healthy ($self) { $self->{fault} ne 'unhealthy' }

sub fails_now ($self, $path) {
    return $self->is_active if $self->{fault} eq 'fails-later';
    return $path !~ m{^/(?:healthz|version)$} && rand() < 0.2 && $self->is_active
      if $self->{fault} eq 'fails-some';
    return $path eq '/healthz' && $self->is_active if $self->{fault} eq 'unhealthy-later';
    return 0;
}

# The link `current` beside the folder of all releases leads here.
sub is_active ($self) {
    my $link = readlink(dirname(dirname($self->{home})) . '/current') // return 0;
    return basename($link) eq basename($self->{home});
}

1;
