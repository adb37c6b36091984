import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { HostSpec } from '../driver.js';
import { metadataLink } from './links.js';
import { METADATA_ADDRESS } from './rules.js';

/** The answers of one host's metadata service, by file name: `instance.json`, `instance.txt`, … */
export function metadataAnswers(spec: HostSpec): Record<string, string> {
  const instance = instanceOf(spec);
  const network = networkOf(spec);
  const keys = { users: { root: spec.authorizedKeys } };
  return {
    'instance.json': JSON.stringify(instance),
    'instance.txt': plainText(instance),
    'network.json': JSON.stringify(network),
    'network.txt': plainText(network),
    'ssh-keys.json': JSON.stringify(keys),
    'ssh-keys.txt': plainText(keys),
    'user-data.txt': Buffer.from(spec.userData ?? '').toString('base64'),
  };
}

function instanceOf(spec: HostSpec): object {
  return {
    id: spec.id,
    label: spec.label,
    region: spec.region,
    type: spec.type,
    specs: { vcpus: spec.vcpus, memory: spec.memoryMiB },
    image: { id: spec.image },
  };
}

function networkOf(spec: HostSpec): object {
  const publicLinks = spec.interfaces.filter((link) => link.kind === 'public');
  return {
    interfaces: spec.interfaces.map(({ id, kind, mac, ipv4, prefix, vpcId, subnetId, nat11 }) =>
      kind === 'public'
        ? { id, purpose: kind, mac }
        : {
            id,
            purpose: kind,
            mac,
            vpc: { vpc_id: vpcId, subnet_id: subnetId, ipv4: `${ipv4}/${prefix}`, nat_1_1: nat11 },
          },
    ),
    ipv4: { public: publicLinks.map((link) => `${link.ipv4}/32`), private: [], shared: [] },
  };
}

/** The service's plain form: one `path.to.value: text` a line. */
export function plainText(value: object, path = ''): string {
  return Object.entries(value)
    .map(([key, entry]: [string, unknown]) => {
      const name = path === '' ? key : `${path}.${key}`;
      return typeof entry === 'object' && entry !== null
        ? plainText(entry, name)
        : `${name}: ${String(entry)}\n`;
    })
    .join('');
}

/** Puts a host's answers where the metadata server of its router looks: a folder named by the host's address. */
export async function writeMetadata(folder: string, spec: HostSpec): Promise<void> {
  const link = metadataLink(spec);
  if (link === undefined) return;
  const target = join(folder, link.ipv4);
  await mkdir(target, { recursive: true, mode: 0o700 });
  for (const [name, content] of Object.entries(metadataAnswers(spec))) {
    await writeFile(join(target, name), content, { mode: 0o600 });
  }
}

export async function removeMetadata(folder: string, spec: HostSpec): Promise<void> {
  const link = metadataLink(spec);
  if (link !== undefined) await rm(join(folder, link.ipv4), { recursive: true, force: true });
}

/**
 * The metadata server: it runs in a router's namespace, tells hosts apart by their address and answers from files, so
 * that it needs nothing of the process that made the cloud. In Perl, as every Debian and Ubuntu has it and it takes a
 * tenth of the memory that another Node would.
 */
export const METADATA_SERVER = `\
use strict;
use warnings;
use IO::Socket::INET;

my ($folder) = @ARGV;
my $listener = IO::Socket::INET->new(
    LocalAddr => '${METADATA_ADDRESS}', LocalPort => 80, Listen => 64, ReuseAddr => 1,
) or die "metadata: $@\\n";
my %token_of;
$SIG{PIPE} = 'IGNORE';

while (1) {
    my $client = $listener->accept or next;
    eval {
        local $SIG{ALRM} = sub { die "slow client\\n" };
        alarm 5;
        answer($client);
        alarm 0;
    };
    alarm 0;
    warn "metadata: $@" if $@;
    close $client;
}

sub answer {
    my ($client) = @_;
    my ($method, $path) = (readline($client) // '') =~ m{^(GET|PUT) (/v1/[a-z-]+) HTTP/} or return reply($client, 400);
    my %header;
    while (defined(my $line = readline $client)) {
        last if $line =~ /^\\r?\\n$/;
        $header{lc $1} = $2 if $line =~ /^([^:]+):\\s*(.*?)\\r?\\n$/;
    }
    my $host = $client->peerhost;
    return reply($client, 200, 'text/plain', $token_of{$host} //= new_token()) if "$method $path" eq 'PUT /v1/token';
    return reply($client, 405) if $method ne 'GET';
    return reply($client, 401) if ($header{'metadata-token'} // '') ne ($token_of{$host} // ' ');
    my $json = ($header{accept} // '') =~ m{application/json};
    my ($name) = $path =~ m{^/v1/(.+)};
    my $file = "$folder/$host/$name." . ($json ? 'json' : 'txt');
    open my $handle, '<:raw', $file or return reply($client, 404);
    local $/;
    reply($client, 200, $json ? 'application/json' : 'text/plain', scalar readline $handle);
}

sub reply {
    my ($client, $status, $type, $body) = @_;
    $type //= 'text/plain';
    $body //= "status $status\\n";
    printf {$client} "HTTP/1.1 %d Answer\\r\\nContent-Type: %s\\r\\nContent-Length: %d\\r\\nConnection: close\\r\\n\\r\\n%s",
        $status, $type, length $body, $body;
}

sub new_token {
    open my $random, '<:raw', '/dev/urandom' or die "urandom: $!\\n";
    read $random, my $bytes, 32;
    return unpack 'H*', $bytes;
}
`;
