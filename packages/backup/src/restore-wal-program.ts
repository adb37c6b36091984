/**
 * PostgreSQL's `restore_command` during a restore, called as `restore-wal FOLDER NAME DESTINATION`. The folder holds
 * `urls`, a line `NAME URL` for each file of the log that the bucket has, and `identity`, where they are encrypted.
 *
 * A file that the bucket does not have is the end of the log (code 1). One that it has and does not give ends the whole
 * recovery (a code above 125): it must not end too early and look well. So does, where the folder holds `to-the-end`,
 * which says from what number on, one that it lacks while it has later ones. With a target PostgreSQL itself sees that it ended before it, and one just before
 * a gap can be reached.
 */
export const RESTORE_WAL_PROGRAM = String.raw`#!/usr/bin/perl
use strict;
use warnings;
use POSIX qw(dup2);

my ($folder, $name, $destination) = @ARGV;
sub give_up { print STDERR "restore-wal: $_[0]\n"; exit 200 }
open my $urls, '<', "$folder/urls" or give_up("$folder/urls: $!");
my %url;
while (my $line = <$urls>) {
    chomp $line;
    my ($one, $rest) = split / /, $line, 2;
    $url{$one} = $rest;
}
my $url = $url{$name};
end_of_log() if !defined $url;

sub end_of_log {
    open my $file, '<', "$folder/to-the-end" or exit 1;
    chomp(my $first = <$file> // '');
    my ($timeline, $number) = (substr($name, 0, 8), substr($name, 8));
    # Those before the base's end are in the base; the one with its end is there only as far as it was written then.
    exit 1 if length $name != 24 || $number lt $first;
    my @segments = sort grep { length == 24 } keys %url;
    # From where a newer timeline begins, PostgreSQL asks for the older ones in vain.
    exit 1 if grep { substr($_, 0, 8) gt $timeline && substr($_, 8) le $number } @segments;
    my ($later) = grep { substr($_, 0, 8) eq $timeline && $_ gt $name } @segments;
    exit 1 if !defined $later;
    give_up("$name is not in the bucket, and $later is: the log has a gap; choose a target before it");
}

# Into a file: a transfer that breaks off is begun anew, and must not be taken for the rest of what came before.
my $packed = "$destination.packed";
open my $curl, '|-', 'curl', '-q', '--silent', '--fail', '--connect-timeout', '10', '--speed-limit', '1024', '--speed-time', '30',
    '--retry', '5', '--retry-all-errors', '--output', $packed, '--config', '-'
    or give_up("curl: $!");
print $curl "url = \"$url\"\n";
close $curl or give_up("$name: the bucket has it, and does not give it (curl " . ($? >> 8) . ')');

my $identity = "$folder/identity";
my @programs = (['zstd', '-q', '-d', '-c']);
unshift @programs, ['age', '-d', '-i', $identity] if -e $identity;
open my $input, '<', $packed or give_up("$packed: $!");
open my $out, '>', "$destination.new" or give_up("$destination: $!");
my @children;
while (my $program = shift @programs) {
    my ($reader, $writer);
    if (@programs) { pipe $reader, $writer or give_up("pipe: $!") }
    my $child = fork // give_up("fork: $!");
    if (!$child) {
        dup2(fileno $input, 0);
        dup2(fileno($writer // $out), 1);
        exec { $program->[0] } @$program or POSIX::_exit(127);
    }
    push @children, [$child, $program->[0]];
    close $input;
    close $writer if $writer;
    $input = $reader;
}
my @failed;
for my $child (@children) {
    waitpid $child->[0], 0;
    push @failed, $child->[1] if $?;
}
unlink $packed;
give_up("$name: the bucket has it, and @failed failed: it cannot be restored") if @failed;
rename "$destination.new", $destination or give_up("$destination: $!");
`;
