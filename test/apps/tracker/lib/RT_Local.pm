package RT;
use v5.36;
use utf8;

use File::Basename qw(dirname);
use File::Spec;

# RT loads this by itself, before anything else of it, in every program: what is this release's own comes from its
# folder, and nothing from /etc/request-tracker5 or /usr/local.

our ($LocalPath, $LocalEtcPath, $LocalLibPath, $LocalLexiconPath, $LocalStaticPath, $LocalPluginPath);
our ($MasonLocalComponentRoot, $MasonDataDir, $VarPath);

my $home = dirname(dirname(File::Spec->rel2abs(__FILE__)));

$ENV{RT_SITE_CONFIG}     = "$home/etc/site.pm";
$ENV{RT_SITE_CONFIG_DIR} = "$home/etc/site.d";

$LocalPath               = "$home/local";
$LocalEtcPath            = "$home/etc";
$LocalLibPath            = "$LocalPath/lib";
$LocalLexiconPath        = "$LocalPath/po";
$LocalStaticPath         = "$LocalPath/static";
$LocalPluginPath         = "$LocalPath/plugins";
$MasonLocalComponentRoot = "$LocalPath/html";

# Compiled pages, which Mason never compares with their sources again: /tmp is this instance's alone, so no release
# meets those of another one.
$MasonDataDir = '/tmp/mason';
$VarPath      = $ENV{STATE_DIRECTORY} // '/tmp';

1;
