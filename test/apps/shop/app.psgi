use v5.36;
use utf8;

use File::Basename qw(dirname);
use File::Spec;

# The release's own folder, whatever the working directory is.
my $home;
BEGIN { $home = File::Spec->rel2abs(dirname(__FILE__)) }
use lib "$home/lib";

use Shop::Switch;
my $switch;
BEGIN { $switch = Shop::Switch->read($home); $switch->at_compile }

use Mojolicious::Lite -signatures;
use Shop::Catalogue qw(goods);
use Shop::Orders;
use Shop::Patience qw(rest);
use Shop::Sessions;

# nginx names the client and the scheme.
BEGIN { $ENV{MOJO_REVERSE_PROXY} //= 1 }

my $release  = $ENV{RELEASE} // 'development';
my $orders   = Shop::Orders->for_environment(%ENV);
my $sessions = Shop::Sessions->for_environment(%ENV);

app->home(Mojo::Home->new($home));
app->static->paths(["$home/public"]);
app->renderer->paths(["$home/templates"]);
app->secrets([$ENV{SESSION_KEY} // 'sessions of this application are not worth a secret']);

hook before_dispatch => sub ($c) {
    return unless $switch->fails_now($c->req->url->path->to_string);
    $c->render(status => 500, json => { status => 'failing', release => $release });
};

get '/' => sub ($c) {
    my $sheet = "/assets/$release.css";
    $c->render(
        'index',
        release => $release,
        goods   => [goods()],
        sheet   => (-e "$home/public$sheet" ? $sheet : undef),
        client  => $c->tx->remote_address,
    );
};

get '/version' => sub ($c) { $c->render(text => "$release\n", format => 'txt') };

get '/healthz' => sub ($c) {
    return $c->render(status => 503, json => { status => 'unhealthy', release => $release })
      unless $switch->healthy;
    $c->render(json => { status => 'ok', release => $release });
};

# What a module with a part in C says, in releases that have it: it was built for this perl, and is loaded.
get '/answer' => sub ($c) {
    return $c->render(text => "none\n", status => 404) unless eval { require Local::Answer; 1 };
    $c->render(text => Local::Answer::answer() . "\n");
};

# What the application is told of its stores; unlike /healthz it asks them, and says no when orders can't be taken.
get '/readyz' => sub ($c) {
    my %stores = (database => $orders->report, cache => $sessions->report);
    for my $name (sort keys %stores) {
        my $why = delete $stores{$name}{why} // next;
        $c->app->log->error("$name: $why");
    }
    my $status = $stores{database}{state} eq 'ok' ? 200 : 503;
    $c->render(status => $status, json => { release => $release, %stores });
};

# Counts the visits of one visitor.
get '/visit' => sub ($c) {
    my $visits = eval { $sessions->visit($c->session) };
    return $c->render(json => { visits => $visits, release => $release }) if defined $visits;
    $c->app->log->error("sessions: $@");
    $c->render(status => 503, json => { error => 'sessions are not available' });
};

get '/slow' => sub ($c) {
    my $ms = rest($c->param('ms') // 1_000);
    $c->render(json => { slept => $ms, release => $release });
};

# Stores an order. `ms` makes the work take that long; the order is stored at its end, as a transaction would be.
post '/orders' => sub ($c) {
    my $body = $c->req->json;
    my $id   = ref $body eq 'HASH' ? $body->{id} : $c->param('id');
    return $c->render(status => 400, json => { error => 'id: 1 to 64 letters, digits, dots or dashes' })
      unless Shop::Orders->is_id($id);
    rest($c->param('ms') // 0);
    if (!eval { $orders->store($id, $release); 1 }) {
        $c->app->log->error("orders: $@");
        return $c->render(status => 503, json => { error => 'orders are not available' });
    }
    $c->render(status => 201, json => { id => $id, release => $release });
};

$switch->at_start;
$orders->prepare;

# An answer that comes piece by piece, as a long export does; under PSGI Mojolicious would send it whole.
sub stream ($env) {
    my ($ms) = $env->{QUERY_STRING} =~ /\bms=(\d+)/;
    return sub ($respond) {
        my $out = $respond->([200, ['Content-Type' => 'text/plain']]);
        for my $piece (1 .. 10) {
            $out->write("$piece\n");
            rest(int(($ms // 1_000) / 10));
        }
        $out->write("end\n");
        $out->close;
    };
}

my $app = app->start;
ref $app eq 'CODE' ? sub ($env) { $env->{PATH_INFO} eq '/stream' ? stream($env) : $app->($env) } : $app;
