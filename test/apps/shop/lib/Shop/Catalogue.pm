package Shop::Catalogue;
use v5.36;

use Exporter qw(import);

our @EXPORT_OK = qw(goods);

# What the shop sells: name and price in cents.
sub goods () {
    return (
        { name => 'Pearl, white',  cents => 1_900 },
        { name => 'Pearl, black',  cents => 4_500 },
        { name => 'Oyster knife',  cents => 2_250 },
        { name => 'Camel, carved', cents => 12_000 },
    );
}

1;
