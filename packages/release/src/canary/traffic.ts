import { act, type Hands } from '../hands.js';

/** Requests that app hosts answered, as the web tier's logs have it. */
export interface Traffic {
  readonly requests: number;
  /** Answered with 5xx, or not at all. */
  readonly errors: number;
  /** How many took how long: counts by `bucketOf`. */
  readonly latency: readonly number[];
}

/** Up to where a log was read: an inode and an offset in bytes, so that a rotation in between loses and doubles nothing. */
export type Mark = string;

const ACCESS_LOG = '/var/log/nginx/access.log';
/** Buckets for each doubling of the time: their bounds are 19 % apart. */
const PER_DOUBLING = 4;

/** Milliseconds at the upper bound of a bucket of `Traffic.latency`. */
export const boundOf = (bucket: number): number => 2 ** (bucket / PER_DOUBLING);

/**
 * Arguments: log, buckets a doubling, mark (or nothing). Prints the mark up to which it read, and a line for each app host:
 * address, requests, errors, and bucket:count pairs. Every attempt of a request that was tried again counts for its own host.
 * A request that its client gave up (499) says nothing of the host. Whole lines alone are read.
 */
export const READ = String.raw`
exec perl -we '
use strict;
my ($log, $per, $mark) = @ARGV;
my @now = stat $log or do { print "mark 0:0\n"; exit };
if ($mark eq "") { print "mark $now[1]:$now[7]\n"; exit }
my ($inode, $from) = split /:/, $mark;
my (%count, $end);
sub scan {
    my ($path, $start) = @_;
    open my $file, "<", $path or return;
    seek $file, $start, 0;
    $end = $start;
    while (my $line = <$file>) {
        last unless $line =~ /\n\z/;
        $end += length $line;
        next unless $line =~ /"status":"(\d+)","upstream":"([^"]+)","upstream_status":"([^"]*)".*?"upstream_seconds":"([^"]*)"/;
        my ($status, $hosts, $statuses, $times) = ($1, $2, $3, $4);
        next if $status == 499;
        my @statuses = split /, | : /, $statuses;
        my @times = split /, | : /, $times;
        for my $host (split /, | : /, $hosts) {
            my ($one, $time) = (shift(@statuses) // "-", shift(@times) // "-");
            my $entry = $count{$host} //= [0, 0, {}];
            $entry->[0]++;
            $entry->[1]++ if $one !~ /^[1-4]\d\d$/;
            my $ms = $time =~ /^[\d.]+$/ ? 1000 * $time : 0;
            $entry->[2]{$ms <= 1 ? 0 : int($per * log($ms) / log(2)) + 1}++;
        }
    }
}
if ($now[1] == $inode) { scan($log, $from) }
else {
    my ($old) = grep { ((stat)[1] // 0) == $inode } glob "$log.*";
    scan($old, $from) if defined $old;
    scan($log, 0);
}
print "mark $now[1]:$end\n";
for my $host (sort keys %count) {
    my ($all, $errors, $times) = @{ $count{$host} };
    print join(" ", "host", $host, $all, $errors, map { "$_:$times->{$_}" } sort { $a <=> $b } keys %$times), "\n";
}
' -- "$@"
`;

/** Where the log of a web host ends now, or what was logged since a mark; by the address of the app host. */
export async function readTraffic(
  hands: Hands,
  webHost: string,
  mark: Mark,
  signal: AbortSignal,
): Promise<{ mark: Mark; byAddress: ReadonlyMap<string, Traffic> }> {
  const args = [ACCESS_LOG, String(PER_DOUBLING), mark];
  return parseTraffic(await act(hands, webHost, ['reading the log', READ], args, { signal }));
}

export function parseTraffic(output: string): { mark: Mark; byAddress: ReadonlyMap<string, Traffic> } {
  const byAddress = new Map<string, Traffic>();
  let mark = '';
  for (const line of output.split('\n')) {
    const [word, first = '', requests, errors, ...pairs] = line.split(' ');
    if (word === 'mark') mark = first;
    if (word !== 'host') continue;
    const latency: number[] = [];
    for (const pair of pairs) {
      const [bucket, count] = pair.split(':').map(Number);
      latency[bucket ?? 0] = count ?? 0;
    }
    byAddress.set(first, {
      requests: Number(requests),
      errors: Number(errors),
      latency: Array.from(latency, (count) => count ?? 0),
    });
  }
  return { mark, byAddress };
}

export const NO_TRAFFIC: Traffic = { requests: 0, errors: 0, latency: [] };

/** Two amounts of traffic as one. */
export function plus(a: Traffic, b: Traffic): Traffic {
  const length = Math.max(a.latency.length, b.latency.length);
  return {
    requests: a.requests + b.requests,
    errors: a.errors + b.errors,
    latency: Array.from({ length }, (_, bucket) => (a.latency[bucket] ?? 0) + (b.latency[bucket] ?? 0)),
  };
}
