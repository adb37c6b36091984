/**
 * PostgreSQL's `restore_command` during a restore, called as `restore-wal FOLDER NAME DESTINATION`. The folder holds
 * `urls`, a line `NAME URL` for each file of the log that the bucket has, and `identity`, where they are encrypted.
 *
 * A file that the bucket does not have is the end of the log (code 1). One that it has and does not give ends the whole
 * recovery (a code above 125): it must not end too early and look well. So does, where the folder holds `to-the-end`, one
 * that the bucket lacks while the log goes on behind it, there or on a newer timeline. That is a line with the segment in
 * which the base ends and the size of segments in bytes. With a target PostgreSQL itself sees that it ended before it, and
 * one just before a gap can be reached.
 *
 * PostgreSQL looks for histories one after the other until one is not there, and recovers along the last one; it is kept in
 * the folder, since it says how far the timelines before it are needed.
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
    my ($first, $bytes) = split ' ', <$file> // '';
    my $timeline = substr $name, 0, 8;
    if ($name =~ /history/) {
        # Those of the base's way are in the base; of a timeline behind this one, segments or its history would be there.
        exit 1 if $timeline le substr $first, 0, 8;
        my ($later) = sort grep { substr($_, 0, 8) ge $timeline } keys %url;
        give_up("$name is not in the bucket, and $later is: the log cannot be followed; choose a target before it") if $later;
        exit 1;
    }
    my $number = substr $name, 8;
    # Those before the base's end are in the base; the one with its end is there only as far as it was written then.
    exit 1 if length $name != 24 || $number lt substr $first, 8;
    my ($history) = reverse sort glob "$folder/*.history";
    if ($history && $history =~ /([0-9A-F]{8})\.history\z/ && $timeline lt $1) {
        my $goal = $1;
        my $left = left_at($history, $timeline, $bytes);
        # From where a newer timeline begins, PostgreSQL asks for the older ones in vain.
        exit 1 if !defined $left || $number ge $left;
        give_up("$name is not in the bucket, and timeline " . hex($goal) . ' needs it: the log has a gap; choose a target before it');
    }
    my ($later) = sort grep { length == 24 && substr($_, 0, 8) eq $timeline && $_ gt $name } keys %url;
    exit 1 if !defined $later;
    give_up("$name is not in the bucket, and $later is: the log has a gap; choose a target before it");
}

# The number of the segment in which a timeline was left, as segments are named.
sub left_at {
    my ($history, $timeline, $bytes) = @_;
    open my $in, '<', $history or give_up("$history: $!");
    while (my $line = <$in>) {
        next if $line !~ m{\A\s*(\d+)\s+([0-9A-F]+)/([0-9A-F]+)}i || $1 != hex $timeline;
        return sprintf '%08X%08X', hex $2, int(hex($3) / $bytes);
    }
    return undef;
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
if ($name =~ /history/) {
    open my $from, '<', "$destination.new" or give_up("$destination.new: $!");
    open my $kept, '>', "$folder/$name" or give_up("$folder/$name: $!");
    print {$kept} <$from>;
    close $kept or give_up("$folder/$name: $!");
}
rename "$destination.new", $destination or give_up("$destination: $!");
`;
