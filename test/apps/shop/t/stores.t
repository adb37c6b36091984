use v5.36;

# Orders in a real PostgreSQL and sessions in a real Redis with a Sentinel, started here for as long as it takes.
use lib 'lib';
use File::Temp qw(tempdir);
use IO::Socket::INET;
use Mojo::File qw(path);
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);

my ($bin) = sort { $b cmp $a } glob '/usr/lib/postgresql/*/bin';
my @missing = grep { !eval "require $_; 1" } qw(DBD::Pg Redis);
push @missing, 'PostgreSQL' unless $bin && -x "$bin/initdb";
push @missing, 'Redis' unless -x '/usr/bin/redis-server';
push @missing, 'the user postgres' if $> == 0 && !getpwnam 'postgres';
plan skip_all => 'needs ' . join(', ', @missing) if @missing;

my $home = tempdir(CLEANUP => 1);
if ($> == 0) {
    # PostgreSQL refuses to run as root.
    my (undef, undef, $user, $group) = getpwnam 'postgres';
    chown $user, $group, $home;
    POSIX::setgid($group);
    POSIX::setuid($user);
}
$ENV{HOME} = $home;

sub free_port () {
    my $socket = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1', LocalPort => 0) or die "socket: $!";
    return $socket->sockport;
}

sub run (@command) {
    system("@{[ map { quotemeta } @command ]} >>$home/log 2>&1") == 0
      or die "@command: " . path("$home/log")->slurp;
}

sub until_true ($what, $code, $seconds = 20) {
    my $end = time + $seconds;
    while (time < $end) {
        my $value = eval { $code->() };
        return $value if $value;
        sleep 0.05;
    }
    die "$what: not within $seconds s: $@";
}

# A PostgreSQL whose file of services also lists a host on which nobody answers.
my $port     = free_port();
my @postgres = ("$bin/pg_ctl", '--wait', '--silent', "--pgdata=$home/data");
run("$bin/initdb", '--no-sync', '--auth=trust', '--username=shop', "$home/data");

sub lines ($file, @lines) {
    open my $handle, '>', $file or die "$file: $!";
    print {$handle} "$_\n" for @lines;
    close $handle or die "$file: $!";
}
lines(
    "$home/data/postgresql.conf",
    q{listen_addresses = '127.0.0.1'}, "port = $port", "unix_socket_directories = '$home'", 'fsync = off',
);
lines(
    "$home/services",                              '[shop]',
    'host=127.0.0.1,127.0.0.1',                    "port=@{[ free_port() ]},$port",
    'user=shop',                                   'dbname=postgres',
    'connect_timeout=2',                           'target_session_attrs=read-write',
);
@ENV{qw(PGSERVICE PGSERVICEFILE PGPASSWORD)} = ('shop', "$home/services", 'not asked for');

my $main = $$;
my @processes;
END {
    if ($$ == $main) {
        my $status = $?;
        kill KILL => @processes if @processes;
        waitpid $_, 0 for @processes;
        system @postgres, '--mode=immediate', 'stop' if -e "$home/data/postmaster.pid";
        $? = $status;
    }
}

sub launch (@command) {
    my $pid = fork // die "fork: $!";
    if ($pid == 0) {
        open STDOUT, '>>', "$home/log";
        open STDERR, '>&', \*STDOUT;
        exec @command or POSIX::_exit(1);
    }
    push @processes, $pid;
    return $pid;
}

# Runs in a process of its own, as a worker does; how many of them failed.
sub workers ($number, $work) {
    my @workers = map {
        my $pid = fork // die "fork: $!";
        if ($pid == 0) { POSIX::_exit(eval { $work->(); 1 } ? 0 : 1) }
        $pid;
    } 1 .. $number;
    return scalar grep { waitpid($_, 0); $? != 0 } @workers;
}

sub rows ($sql) {
    my $handle = DBI->connect('dbi:Pg:', undef, undef, { RaiseError => 1, PrintError => 0 });
    return $handle->selectall_arrayref($sql);
}

require Shop::Orders;
my $orders = Shop::Orders->for_environment(%ENV);

subtest 'without a database' => sub {
    my @warned;
    { local $SIG{__WARN__} = sub { push @warned, @_ }; $orders->prepare }
    like $warned[0], qr/^orders: .*connect/, 'the application starts, and says so';
    ok !eval { $orders->store('a', 'r1'); 1 }, 'an order is refused';
    is $orders->report->{state}, 'lost';
};

run(@postgres, "--log=$home/log", 'start');

subtest 'workers that begin at the same time' => sub {
    is workers(8, sub { $orders->store("first-$$", 'r1') }), 0, 'none fails';
    is rows('SELECT count(*) FROM orders')->[0][0], 8, 'one of them made the tables, all stored their order';
};

subtest 'an order' => sub {
    $orders->store('twice', 'r1') for 1, 2;
    is_deeply rows(q{SELECT count(*) FROM orders WHERE id = 'twice'}), [[1]], 'stands there once';
    is_deeply rows(q{SELECT count(*) FROM executions WHERE order_id = 'twice'}), [[2]],
      'that it was carried out twice can be seen';
    is_deeply $orders->report, { state => 'ok', host => '127.0.0.1', port => $port };
};

subtest 'a connection' => sub {
    my $serving = 'SELECT pid FROM pg_stat_activity WHERE client_port IS NOT NULL AND pid <> pg_backend_pid()';
    my $before  = rows($serving);
    is @$before, 1;
    $orders->store('kept', 'r1');
    is_deeply rows($serving), $before, 'is kept';
    is workers(1, sub { $orders->store('forked', 'r1') }), 0;
    $orders->store('parent', 'r1');
    is_deeply rows($serving), $before, 'is none of a child, and outlives it';
    rows("SELECT pg_terminate_backend($before->[0][0])");
    $orders->store('mended', 'r1');
    run(@postgres, '--mode=fast', "--log=$home/log", 'restart');
    $orders->store('restarted', 'r1');
    my $sql = q{SELECT order_id, count(*) FROM executions WHERE order_id IN ('mended', 'restarted') GROUP BY 1 ORDER BY 1};
    is_deeply rows($sql), [['mended', 1], ['restarted', 1]], 'that broke is opened again, and the order stored once';
};

# Two Redis and one Sentinel, which is enough for a quorum of one.
my %ports    = map { ($_ => free_port()) } qw(first second sentinel alone);
my $password = 'hunter2';

sub configure ($name, @lines) {
    lines("$home/$name.conf", "port $ports{$name}", 'bind 127.0.0.1', "dir $home", "requirepass $password", @lines);
    return "$home/$name.conf";
}
my @data  = ("masterauth $password", 'save ""', 'repl-diskless-sync-delay 0');
my $first = launch('redis-server', configure('first', @data, 'dbfilename first.rdb'));
launch('redis-server', configure('second', @data, 'dbfilename second.rdb', "replicaof 127.0.0.1 $ports{first}"));
launch(
    'redis-server',
    configure(
        'sentinel',
        "sentinel monitor shop 127.0.0.1 $ports{first} 1",
        "sentinel auth-pass shop $password",
        'sentinel down-after-milliseconds shop 500',
        'sentinel failover-timeout shop 3000',
    ),
    '--sentinel',
);
@ENV{qw(REDIS_SENTINELS REDIS_SERVICE REDIS_PASSWORD)} =
  ('127.0.0.1:' . free_port() . ",127.0.0.1:$ports{sentinel}", 'shop', $password);

require Shop::Sessions;
my $sessions = Shop::Sessions->for_environment(%ENV);

sub ask ($name, $command, @words) {
    my $redis = Redis->new(server => "127.0.0.1:$ports{$name}", password => $password);
    return $redis->$command(@words);
}
sub visits ($name, $session) { ask($name, 'hget', "session:$session->{id}", 'visits') // 0 }

until_true 'the replica follows, and Sentinel knows', sub {
    ask('second', 'info')->{master_link_status} eq 'up' && @{ ask('sentinel', 'sentinel', 'replicas', 'shop') };
};

subtest 'sessions' => sub {
    my ($one, $other) = ({}, {});
    is $sessions->visit($one), $_ for 1 .. 3;
    is $sessions->visit($other), 1, 'everybody has his own';
    is_deeply [keys %$one], ['id'], 'the cookie holds its name only';
    is_deeply $sessions->report, { state => 'ok', primary => "127.0.0.1:$ports{first}" };
    is workers(4, sub { $sessions->visit($one) }), 0;
    until_true 'the replica has all', sub { visits('second', $one) == 7 };
    kill KILL => $first;
    waitpid $first, 0;
    ok !eval { $sessions->visit({}); 1 }, 'without a primary there are none';
    is until_true('Sentinel has made the replica primary', sub { $sessions->visit($one) }), 8, 'then they go on';
    is $sessions->report->{primary}, "127.0.0.1:$ports{second}";
};

subtest 'a server without Sentinels, which becomes a replica and primary again' => sub {
    launch('redis-server', configure('alone', @data));
    local @ENV{qw(REDIS_SENTINELS REDIS_SERVER)} = ('', "127.0.0.1:$ports{alone}");
    my $alone   = Shop::Sessions->for_environment(%ENV);
    my $session = {};
    is until_true('it answers', sub { $alone->visit($session) }), 1;
    ask('alone', 'replicaof', '127.0.0.1', free_port());
    ok !eval { $alone->visit($session); 1 }, 'it takes no writes';
    ask('alone', 'replicaof', 'no', 'one');
    is $alone->visit($session), 2;
};

done_testing;
