package Shop::Sessions::Cache;
use v5.36;

use Redis;
use Shop::Token qw(token);

use constant LIFETIME_S => 24 * 60 * 60;

# A host that was powered off says nothing at all, and the others are asked soon.
use constant LIMITS_S => map { ($_ => 1) }
  qw(cnx_timeout read_timeout write_timeout sentinels_cnx_timeout sentinels_read_timeout sentinels_write_timeout);

# `place` is what the Redis client takes: `sentinels` and `service`, or `server`.
sub new ($class, $place, $password = undef) {
    my %passwords = length($password // '') ? (password => $password) : ();
    $passwords{sentinels_password} = $password if %passwords && $place->{sentinels};
    return bless { settings => { %$place, %passwords, LIMITS_S } }, $class;
}

# Counts a visit; the visitor's cookie holds only which session it is. Returns how many there were.
sub visit ($self, $session) {
    my $key = 'session:' . ($session->{id} //= token());
    return $self->_mending(sub ($redis) {
        my $visits = $redis->hincrby($key, visits => 1);
        $redis->expire($key, LIFETIME_S);
        return 0 + $visits;
    });
}

sub report ($self) {
    my $server = eval { $self->_mending(sub ($redis) { $redis->ping; $redis->{server} }) };
    return defined $server ? { state => 'ok', primary => $server } : { state => 'lost', why => $@ };
}

# Once more on a new connection: Sentinel may name another primary by now, and the old one may only be a replica.
sub _mending ($self, $work) {
    my $result = eval { $work->($self->_connection) };
    return $result if defined $result;
    $self->_drop;
    $result = eval { $work->($self->_connection) };
    return $result if defined $result;
    my $error = $@;
    $self->_drop;
    die $error;
}

# A connection belongs to the process that opened it.
sub _connection ($self) {
    $self->_drop if $self->{redis} && $self->{pid} != $$;
    @$self{qw(redis pid)} = (Redis->new($self->{settings}->%*), $$) unless $self->{redis};
    return $self->{redis};
}

sub _drop ($self) { delete $self->{redis} }

1;
