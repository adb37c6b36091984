use v5.36;
use utf8;

use Plack::Builder;

# Debian's own entry. It looks whether the database is RT's, loads all of RT, and gives the connection back before
# Starman forks its workers. Where RT's configuration is, lib/RT_Local.pm says.
my $rt = do '/usr/share/request-tracker5/libexec/rt-server' or die $@ || $!;

my $release = $ENV{RELEASE} // 'development';
my @plain   = ('Content-Type' => 'text/plain; charset=utf-8');

builder {
    mount '/version' => sub { [200, [@plain], ["$release\n"]] };
    mount '/healthz' => sub {
        return eval { RT::ConnectToDatabase() } ? [200, [@plain], ["ok\n"]] : [503, [@plain], ["no database\n"]];
    };
    mount '/' => $rt;
};
