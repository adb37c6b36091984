package Shop::Orders;
use v5.36;

# Orders go to PostgreSQL where the environment names a service of libpq, else into a journal.
sub for_environment ($class, %env) {
    if (length($env{PGSERVICE} // '')) {
        require Shop::Orders::Database;
        return Shop::Orders::Database->new;
    }
    require Shop::Orders::Journal;
    return Shop::Orders::Journal->new($env{ORDERS_LOG} // '/run/shop/orders.log');
}

sub is_id ($class, $id) { defined $id && !ref $id && $id =~ /\A[A-Za-z0-9._-]{1,64}\z/ }

1;
