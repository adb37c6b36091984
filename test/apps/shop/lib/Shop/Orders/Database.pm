package Shop::Orders::Database;
use v5.36;

use DBI;
use Shop::Token qw(token);

# Where the database is, who asks and which of the hosts is meant: all that stands in the service file of libpq.
use constant SETTINGS => { RaiseError => 1, PrintError => 0, AutoCommit => 1, AutoInactiveDestroy => 1 };

# Any number that every release agrees on.
use constant MIGRATION_LOCK => 4_207_101;

# `executions` has no unique order: an order that was carried out twice is one row of `orders` and two of `executions`.
use constant SCHEMA => (
    'CREATE TABLE IF NOT EXISTS orders (id text PRIMARY KEY, taken_at timestamptz NOT NULL DEFAULT now())',
    'CREATE TABLE IF NOT EXISTS executions (token text PRIMARY KEY, order_id text NOT NULL, release text NOT NULL,'
      . ' worker integer NOT NULL, at timestamptz NOT NULL DEFAULT now())',
);

# The token makes the same execution the same row, so that it may be sent again when its answer was lost.
use constant STORE => <<~'SQL';
    WITH execution AS (
        INSERT INTO executions (token, order_id, release, worker) VALUES (?, ?, ?, ?)
        ON CONFLICT (token) DO NOTHING RETURNING order_id
    )
    INSERT INTO orders (id) SELECT order_id FROM execution ON CONFLICT (id) DO NOTHING
    SQL

sub new ($class) { bless { migrated => 0 }, $class }

# Makes the tables, before workers are forked; whoever comes first does it, the others wait. Without a database the
# application starts all the same, and the first worker that finds one makes up for it.
sub prepare ($self) {
    eval { $self->_handle; 1 } or warn "orders: $@";
    $self->_drop;
}

sub store ($self, $id, $release) {
    my @values = (token(), $id, $release, $$);
    $self->_mending(sub ($handle) { $handle->do(STORE, undef, @values) });
}

sub report ($self) {
    my ($address, $port, $recovering) = eval {
        $self->_mending(sub ($handle) {
            $handle->selectrow_array('SELECT host(inet_server_addr()), inet_server_port(), pg_is_in_recovery()');
        });
    };
    return { state => 'lost', why => $@ } unless defined $recovering;
    return { state => $recovering ? 'read-only' : 'ok', host => $address, port => $port };
}

# Once more on a new connection, when it is the connection that broke.
sub _mending ($self, $work) {
    my @result = eval { $work->($self->_handle) };
    return wantarray ? @result : $result[0] unless $@;
    my $error = $@;
    die $error unless $self->_is_broken;
    $self->_drop;
    return $work->($self->_handle);
}

# Gone, about to go, or still there and no primary any more.
sub _is_broken ($self) {
    my $handle = $self->{handle} // return 0;
    my $state  = $handle->state // '';
    return $state =~ /\A(?:08|57P0[123]|25006)/ || !$handle->ping;
}

# A connection belongs to the process that opened it.
sub _handle ($self) {
    $self->_drop if $self->{handle} && $self->{pid} != $$;
    return $self->{handle} if $self->{handle};
    my $handle = DBI->connect('dbi:Pg:', undef, undef, SETTINGS);
    @$self{qw(handle pid)} = ($handle, $$);
    $self->_migrate unless $self->{migrated};
    return $handle;
}

sub _drop ($self) {
    my $handle = delete $self->{handle} // return;
    $handle->disconnect if $self->{pid} == $$;
}

sub _migrate ($self) {
    my $handle = $self->{handle};
    my ($there) = $handle->selectrow_array(q{SELECT to_regclass('orders') IS NOT NULL AND to_regclass('executions') IS NOT NULL});
    $self->_create unless $there;
    $self->{migrated} = 1;
}

sub _create ($self) {
    my $handle = $self->{handle};
    $handle->begin_work;
    eval {
        $handle->do('SELECT pg_advisory_xact_lock(?)', undef, MIGRATION_LOCK);
        local $handle->{PrintWarn} = 0;
        $handle->do($_) for SCHEMA;
        $handle->commit;
    } or do {
        my $error = $@;
        eval { $handle->rollback };
        die $error;
    };
}

1;
