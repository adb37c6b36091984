package Shop::Sessions::Cookie;
use v5.36;

sub new ($class) { bless {}, $class }

# Counts a visit in the session's own data; returns how many there were.
sub visit ($self, $session) { return $session->{visits} = 1 + ($session->{visits} // 0) }

sub report ($self) { return { state => 'ok', store => 'cookie' } }

1;
