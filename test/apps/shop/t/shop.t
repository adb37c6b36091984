use v5.36;

use File::Temp qw(tempdir);
use Mojo::File qw(path);
use Test::Mojo;
use Test::More;

my $source = path(__FILE__)->to_abs->dirname->dirname;

# A release in the layout of a host: <home>/releases/<id>, <home>/current.
sub release ($id, $conf = '') {
    my $home = tempdir(CLEANUP => 1);
    my $folder = path($home, 'releases', $id);
    $source->list_tree->each(sub ($file, $n) {
        my $target = $folder->child($file->to_rel($source));
        $target->dirname->make_path;
        $file->copy_to($target);
    });
    if ($conf) {
        open my $file, '>', "$folder/release.conf" or die $!;
        print {$file} $conf;
        close $file or die $!;
    }
    symlink "releases/$id", "$home/current-next";
    return ($folder, $home);
}

# Loads app.psgi in a child of its own, for each release has packages of the same names.
sub asking ($folder, %env) {
    my $log = "$folder/orders.log";
    return sub ($code) {
        my $pid = fork // die "fork: $!";
        if ($pid == 0) {
            %ENV = (%ENV, RELEASE => 'r1', ORDERS_LOG => $log, %env);
            delete @ENV{qw(PLACK_ENV PGSERVICE REDIS_SENTINELS REDIS_SERVER)};
            my $t = eval { Test::Mojo->new(path($folder, 'app.psgi')) };
            if (!$t) { print STDERR $@; exit 2 }
            $code->($t, $log);
            exit(Test::More->builder->is_passing ? 0 : 1);
        }
        waitpid $pid, 0;
        return $? >> 8;
    };
}

sub in_child ($name, $folder, $code) {
    subtest $name => sub {
        is asking($folder)->(sub ($t, $log) {
            Test::More->builder->reset;
            Test::More->builder->output('/dev/null');
            Test::More->builder->failure_output(\*STDERR);
            $code->($t, $log);
        }), 0, "all of it holds";
    };
}

my ($good) = release('r1');

in_child 'the pages' => $good, sub ($t, $log) {
    $t->get_ok('/')->status_is(200)->text_is('#release' => 'r1')->element_exists('img[src="/images/pearl.svg"]');
    $t->get_ok($_)->status_is(200) for qw(/css/shop.css /js/shop.js /images/pearl.svg);
    $t->get_ok('/version')->status_is(200)->content_is("r1\n")->content_type_like(qr{^text/plain});
    $t->get_ok('/healthz')->status_is(200)->json_is({ status => 'ok', release => 'r1' });
    $t->get_ok('/slow?ms=30')->status_is(200)->json_is('/slept' => 30);
    $t->get_ok('/slow?ms=-1')->status_is(200)->json_is('/slept' => 0);
};

in_child 'orders' => $good, sub ($t, $log) {
    $t->post_ok('/orders' => json => { id => 'a-1' })->status_is(201)->json_is({ id => 'a-1', release => 'r1' });
    $t->post_ok('/orders' => form => { id => 'b.2' })->status_is(201)->json_is('/id' => 'b.2');
    $t->post_ok('/orders?ms=20' => json => { id => 'c' })->status_is(201);
    $t->post_ok('/orders' => json => { id => "two\nlines" })->status_is(400);
    $t->post_ok('/orders' => json => { id => ['c'] })->status_is(400);
    $t->post_ok('/orders')->status_is(400);
    is path($log)->slurp, "a-1\nb.2\nc\n", 'every accepted order stands in the journal once';
};

in_child 'stores, without a database and without Redis' => $good, sub ($t, $log) {
    $t->get_ok('/visit')->status_is(200)->json_is('/visits' => $_) for 1 .. 3;
    $t->reset_session->get_ok('/visit')->json_is('/visits' => 1);
    $t->get_ok('/readyz')->status_is(200)->json_is('/database' => { state => 'ok', store => 'journal' });
    $t->json_is('/cache' => { state => 'ok', store => 'cookie' });
};

my ($unhealthy) = release('r1', "fault = unhealthy\n");
in_child 'unhealthy' => $unhealthy, sub ($t, $log) {
    $t->get_ok('/healthz')->status_is(503);
    $t->get_ok('/version')->status_is(200);
};

for my $fault (qw(fails-later unhealthy-later)) {
    my ($folder, $home) = release('r1', "fault = $fault\n");
    in_child $fault => $folder, sub ($t, $log) {
        $t->get_ok('/healthz')->status_is(200);
        rename "$home/current-next", "$home/current";
        $t->get_ok('/healthz')->status_is(500);
        $t->get_ok('/version')->status_is($fault eq 'fails-later' ? 500 : 200);
        unlink "$home/current";
        $t->get_ok('/healthz')->status_is(200);
    };
}

subtest 'a release that can not be loaded' => sub {
    my ($broken) = release('r1', "fault = broken-syntax\n");
    my $said = qx{$^X -c $broken/app.psgi 2>&1};
    isnt $?, 0, 'perl -c refuses it';
    like $said, qr/syntax error at lib\/Shop\/Checkout\.pm line 1/;
    my ($dies) = release('r1', "fault = dies\n");
    like qx{$^X -c $dies/app.psgi 2>&1}, qr/syntax OK/, 'this one compiles';
    isnt system("PLACK_ENV=deployment $^X $dies/app.psgi 2>/dev/null"), 0, 'but dies';
};

done_testing;
