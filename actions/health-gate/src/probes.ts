import {
  authoritiesIn,
  type Check,
  type HttpProbe,
  parseProbes,
  type Places,
  probesOf,
  statusesIn,
  type TcpProbe,
} from '@perlstack/health';
import { type Inventory, UserError } from '@perlstack/stack';

/** What the inputs of the action say about its probes. */
export interface ProbeInputs {
  readonly urls: readonly string[];
  readonly tcp: readonly string[];
  readonly status: string;
  readonly contains: string | undefined;
  readonly headers: readonly string[];
  readonly 'basic-auth': string | undefined;
  readonly ca: string | undefined;
  readonly latency: number;
  readonly probes: string | undefined;
  readonly inventory: Inventory | undefined;
  readonly 'follow-redirects': number;
}

/**
 * The probes that the inputs ask for, and groups of them.
 *
 * @throws UserError when there is none, or one is not of the form it should have
 */
export function probesFrom(inputs: ProbeInputs): Check[] {
  const http = inputs.urls.map((url): HttpProbe => ({
    kind: 'http',
    url: urlFrom(url),
    ...expected(inputs),
  }));
  const listed = inputs.probes
    ? probesOf(parseProbes(inputs.probes, LIST), placesIn(inputs.inventory), LIST)
    : [];
  const probes = [...http, ...inputs.tcp.map((text) => tcpFrom(text, inputs.latency)), ...listed];
  if (probes.length === 0) throw new UserError('Nothing to probe: set the input "urls", "tcp" or "probes"');
  return probes;
}

/** What the list of probes is called in errors. */
const LIST = 'Input "probes"';

/** What is sent to every URL, and asked of its answer. */
function expected(inputs: ProbeInputs): Omit<HttpProbe, 'kind' | 'url'> {
  return {
    headers: headersFrom(inputs),
    status: inputs.status.split(',').flatMap((status) => statusesIn(status.trim())),
    latencyMs: inputs.latency,
    ...(inputs['follow-redirects'] === 0 ? {} : { redirects: inputs['follow-redirects'] }),
    ...(inputs.contains === undefined ? {} : { body: inputs.contains }),
    ...(inputs.ca === undefined ? {} : { ca: authoritiesIn(inputs.ca, 'Input "ca"') }),
  };
}

/** A tier means each of its hosts. */
const placesIn =
  (inventory: Inventory | undefined): Places =>
  (word) => {
    if (word === undefined || word === 'runner') return [undefined];
    if (!inventory)
      throw new UserError(
        `Input "probes": "${word}" is a server: set the inputs "inventory" and "ssh-private-key"`,
      );
    const found = inventory.hosts
      .filter(({ name, tier }) => name === word || tier === word)
      .map(({ name }) => name);
    if (found.length > 0) return found;
    const known = [...new Set(inventory.hosts.flatMap(({ name, tier }) => [tier, name]))];
    throw new UserError(
      `Input "probes": "${word}" is no host and no tier of the inventory: ${known.join(', ')}`,
    );
  };

function urlFrom(text: string): string {
  if (URL.canParse(text) && /^https?:$/.test(new URL(text).protocol)) return text;
  throw new UserError(`Input "urls": "${text}" is no URL that begins with http:// or https://`);
}

function tcpFrom(text: string, latencyMs: number): TcpProbe {
  const [, bracketed, plain, digits] = /^(?:\[([^\]]+)\]|([^:\s]+)):(\d{1,5})$/.exec(text) ?? [];
  const address = bracketed ?? plain;
  const port = Number(digits);
  if (address && port >= 1 && port <= 65_535) return { kind: 'tcp', address, port, latencyMs };
  throw new UserError(`Input "tcp": "${text}" is not of the form host:port`);
}

function headersFrom({ headers, 'basic-auth': login }: ProbeInputs): Record<string, string> {
  const named = Object.fromEntries(headers.map(headerFrom));
  if (login === undefined) return named;
  if (Object.keys(named).some((name) => name.toLowerCase() === 'authorization'))
    throw new UserError('Input "basic-auth": "headers" has an Authorization already; leave one of them out');
  return { ...named, Authorization: `Basic ${Buffer.from(login).toString('base64')}` };
}

/** Headers may hold a token, so no error quotes one. */
function headerFrom(line: string, index: number): [string, string] {
  const [, name, value] = /^([A-Za-z0-9!#$%&'*+.^_`|~-]+):\s*(.*)$/.exec(line) ?? [];
  if (name !== undefined && value !== undefined) return [name, value];
  throw new UserError(`Input "headers": line ${index + 1} is not of the form "Name: value"`);
}
