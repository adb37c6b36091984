package Shop::Sessions;
use v5.36;

# Sessions are kept in Redis where the environment names Sentinels or a server, else in the visitor's signed cookie.
sub for_environment ($class, %env) {
    my @place = _place(%env);
    if (@place) {
        require Shop::Sessions::Cache;
        return Shop::Sessions::Cache->new(@place, $env{REDIS_PASSWORD});
    }
    require Shop::Sessions::Cookie;
    return Shop::Sessions::Cookie->new;
}

sub _place (%env) {
    if (my @sentinels = split /[\s,]+/, $env{REDIS_SENTINELS} // '') {
        return { sentinels => \@sentinels, service => $env{REDIS_SERVICE} // die("REDIS_SERVICE is not set\n") };
    }
    return length($env{REDIS_SERVER} // '') ? { server => $env{REDIS_SERVER} } : ();
}

1;
