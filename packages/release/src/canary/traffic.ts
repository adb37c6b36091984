import type { Span } from '../audit.js';
import { act, type Hands } from '../hands.js';

/** Requests that app hosts answered, as the web tier's logs have it. */
export interface Traffic {
  readonly requests: number;
  /** Answered with 5xx, or not at all. */
  readonly errors: number;
  /** How many took how long: counts by `bucketOf`. */
  readonly latency: readonly number[];
}

/** What was served in a stretch of time, by the address of the app host. */
export type Window = ReadonlyMap<string, Traffic>;

/** Up to where a log was read: an inode and an offset in bytes, so that a rotation in between loses and doubles nothing. */
export type Mark = string;

const ACCESS_LOG = '/var/log/nginx/access.log';
/** Buckets for each doubling of the time: their bounds are 4.4 % apart. */
const PER_DOUBLING = 16;

/** Milliseconds at the upper bound of a bucket of `Traffic.latency`. */
export const boundOf = (bucket: number): number => 2 ** (bucket / PER_DOUBLING);

/** The bucket of a time in milliseconds: nginx has whole ones, and up to one is the first. */
export const bucketOf = (ms: number): number => (ms <= 1 ? 0 : Math.trunc(PER_DOUBLING * Math.log2(ms)) + 1);

/** Who gives up after so many milliseconds has not been served; sooner, people go to another page. */
const PATIENCE_MS = 5_000;

/** As much of a log as a web host reads of the time before a canary, in bytes: some 170,000 requests, in 1.4 s of its processor. */
const MOST_OF_BEFORE = 64 * 1024 * 1024;
/** Into so many stretches the time before is cut. */
const WINDOWS = 20;

/**
 * Arguments: log, buckets a doubling, `PATIENCE_MS`, mark. Prints the mark up to which it read, and what was logged since: "window", and
 * a line for each app host: address, requests, errors, and bucket:count pairs. Without a mark: what was logged in so many seconds
 * before, at most so many bytes, in so many windows of the same length, but for some times (further arguments, the times as
 * "from-until,...", seconds since 1970). Every attempt of a request that was tried again counts for its own host. A request that
 * its client gave up (499) says how long it took at least; it is the host's error where the client waited for five seconds. Whole
 * lines alone are read.
 */
export const READ = String.raw`
# Nginx comes first.
exec nice -n 5 perl -we '
use strict;
use POSIX ();
my ($log, $per, $patience, $mark, $before, $most, $windows, $without) = @ARGV;
my @now = stat $log or do { print "mark 0:0\n"; exit };
my (%count, $end, %hour);
sub add {
    my ($count, $line) = @_;
    return unless $line =~ /"status":"(\d+)","upstream":"([^"]+)","upstream_status":"([^"]*)".*?"upstream_seconds":"([^"]*)"/;
    my ($status, $hosts, $statuses, $times) = ($1, $2, $3, $4);
    my @statuses = split /, | : /, $statuses;
    my @times = split /, | : /, $times;
    for my $host (split /, | : /, $hosts) {
        my ($one, $time) = (shift(@statuses) // "-", shift(@times) // "-");
        my $entry = $count->{$host} //= [0, 0, {}];
        $entry->[0]++;
        my $ms = $time =~ /^[\d.]+$/ ? 1000 * $time : 0;
        my $given_up = $status == 499 && $one eq "-";
        $entry->[1]++ if $given_up ? $ms >= $patience : $one !~ /^[1-4]\d\d$/;
        $entry->[2]{$ms <= 1 ? 0 : int($per * log($ms) / log(2)) + 1}++;
    }
}
sub scan {
    my ($path, $start) = @_;
    open my $file, "<", $path or return;
    seek $file, $start, 0;
    $end = $start;
    while (my $line = <$file>) {
        last unless $line =~ /\n\z/;
        $end += length $line;
        add(\%count, $line);
    }
}
sub show {
    my ($count) = @_;
    print "window\n";
    for my $host (sort keys %$count) {
        my ($all, $errors, $times) = @{ $count->{$host} };
        print join(" ", "host", $host, $all, $errors, map { "$_:$times->{$_}" } sort { $a <=> $b } keys %$times), "\n";
    }
}
sub seconds {
    $_[0] =~ /^\{"time":"((\d+)-(\d+)-(\d+)T(\d+)):(\d+):(\d+)/ or return;
    return ($hour{$1} //= POSIX::mktime(0, 0, $5, $4, $3 - 1, $2 - 1900)) + 60 * $6 + $7;
}
if ($mark eq "") {
    print "mark $now[1]:$now[7]\n";
    open my $file, "<", $log or exit;
    my $start = $now[7] > $most ? $now[7] - $most : 0;
    seek $file, $start, 0;
    # Most likely the rest of one that begins before.
    <$file> if $start > 0;
    my @without = map { [split /-/] } split /,/, $without;
    my ($until, $from, $width, @parts) = (time);
    while (tell($file) < $now[7] and defined(my $line = <$file>)) {
        my $second = seconds($line) // next;
        next if $second < $until - $before;
        $from //= $second;
        $width //= ($until - $from) / $windows || 1;
        next if grep { $second >= $_->[0] && $second <= $_->[1] } @without;
        my $part = int(($second - $from) / $width);
        add($parts[$part < $windows ? $part : $windows - 1] //= {}, $line);
    }
    show($_) for grep { defined } @parts;
    exit;
}
my ($inode, $from) = split /:/, $mark;
if ($now[1] == $inode) { scan($log, $from) }
else {
    my ($old) = grep { ((stat)[1] // 0) == $inode } glob "$log.*";
    scan($old, $from) if defined $old;
    scan($log, 0);
}
print "mark $now[1]:$end\n";
show(\%count);
' -- "$@"
`;

/**
 * Where the log of a web host ends now, and the traffic of the time before, in stretches of the same length.
 *
 * @param without times in which it says nothing of what is usual
 */
export async function beginTraffic(
  hands: Hands,
  webHost: string,
  beforeMs: number,
  without: readonly Span[],
  signal: AbortSignal,
): Promise<{ mark: Mark; windows: readonly Window[] }> {
  const spans = without
    .filter(({ untilMs }) => untilMs > Date.now() - beforeMs)
    .map(({ fromMs, untilMs }) => `${Math.floor(fromMs / 1_000)}-${Math.ceil(untilMs / 1_000)}`);
  const before = [Math.ceil(beforeMs / 1_000), MOST_OF_BEFORE, WINDOWS].map(String);
  return read(hands, webHost, ['', ...before, spans.join(',')], signal);
}

/** Where the log of a web host ends now, and what was logged since a mark. */
export async function readTraffic(
  hands: Hands,
  webHost: string,
  mark: Mark,
  signal: AbortSignal,
): Promise<{ mark: Mark; byAddress: Window }> {
  const { mark: now, windows } = await read(hands, webHost, [mark], signal);
  return { mark: now, byAddress: windows[0] ?? new Map() };
}

async function read(
  hands: Hands,
  webHost: string,
  since: readonly string[],
  signal: AbortSignal,
): Promise<{ mark: Mark; windows: readonly Window[] }> {
  const args = [ACCESS_LOG, String(PER_DOUBLING), String(PATIENCE_MS), ...since];
  return parseTraffic(await act(hands, webHost, ['reading the log', READ], args, { signal }));
}

export function parseTraffic(output: string): { mark: Mark; windows: readonly Window[] } {
  const windows: Map<string, Traffic>[] = [];
  let mark = '';
  for (const line of output.split('\n')) {
    const [word, first = '', requests, errors, ...pairs] = line.split(' ');
    if (word === 'mark') mark = first;
    if (word === 'window') windows.push(new Map());
    if (word !== 'host') continue;
    const latency: number[] = [];
    for (const pair of pairs) {
      const [bucket, count] = pair.split(':').map(Number);
      latency[bucket ?? 0] = count ?? 0;
    }
    windows.at(-1)?.set(first, {
      requests: Number(requests),
      errors: Number(errors),
      latency: Array.from(latency, (count) => count ?? 0),
    });
  }
  return { mark, windows };
}

export const NO_TRAFFIC: Traffic = { requests: 0, errors: 0, latency: [] };

/** Two amounts of traffic as one. */
export const plus = (a: Traffic, b: Traffic): Traffic => combined(a, b, 1);

/** What is left of traffic without a part of it. */
export const minus = (all: Traffic, part: Traffic): Traffic => combined(all, part, -1);

function combined(a: Traffic, b: Traffic, sign: 1 | -1): Traffic {
  const length = Math.max(a.latency.length, b.latency.length);
  return {
    requests: a.requests + sign * b.requests,
    errors: a.errors + sign * b.errors,
    latency: Array.from(
      { length },
      (_, bucket) => (a.latency[bucket] ?? 0) + sign * (b.latency[bucket] ?? 0),
    ),
  };
}
