import { UserError } from '@perlstack/stack';
import { authoritiesIn } from './ca.js';
import type { Check, Group } from './group.js';
import type { HttpProbe, Percentile, Probe, ProgramProbe } from './probe.js';
import { programOf } from './programs.js';
import type { ProbeSpec } from './spec.js';

/** Names of the hosts that a word means: a host's, a tier's; undefined for the runner. */
export type Places = (word: string | undefined) => readonly (string | undefined)[];

/**
 * The probes and groups that a list asks for: one probe for each host where a tier is named.
 *
 * @param source the name that errors give
 * @throws UserError for a group that can never be healthy, and as `authoritiesIn` where authorities are named
 */
export function probesOf(specs: readonly ProbeSpec[], places: Places, source = 'probes'): Check[] {
  return specs.flatMap((spec): Check[] => {
    if (spec.group !== undefined) return [groupOf(spec, spec.group, places, source)];
    const ca = spec.ca === undefined ? {} : { ca: authoritiesIn(spec.ca, `${source}: ca`) };
    return places(spec.on ?? spec.from).map((from) => probeOf({ ...spec, ...ca }, from));
  });
}

function groupOf({ need = 'all', of = [] }: ProbeSpec, name: string, places: Places, source: string): Group {
  const members = probesOf(of, places, source);
  if (typeof need === 'number' && need > members.length)
    throw new UserError(
      `${source}: ${need} of the ${members.length} members of "${name}" can never be healthy`,
    );
  return { kind: 'group', name, need, of: members };
}

function probeOf(spec: ProbeSpec, from: string | undefined): Probe {
  const common = {
    ...(spec.name === undefined ? {} : { name: from === undefined ? spec.name : `${spec.name} (${from})` }),
    ...(from === undefined ? {} : { from }),
    ...latencyOf(spec),
  };
  if (spec.tcp !== undefined) return { ...common, kind: 'tcp', ...placeIn(spec.tcp) };
  if (spec.tls !== undefined) {
    const { servername, days = DEFAULT_DAYS, ca } = spec;
    return {
      ...common,
      kind: 'tls',
      ...placeIn(spec.tls),
      days,
      ...(servername === undefined ? {} : { servername }),
      ...(ca === undefined ? {} : { ca }),
    };
  }
  if (spec.http !== undefined) return { ...common, ...httpOf(spec, spec.http) };
  if (spec.prometheus !== undefined) return { ...common, ...prometheusOf(spec, spec.prometheus) };
  if (from === undefined) throw new Error('A program is looked at on a host');
  const program: Omit<ProgramProbe, 'from' | 'kind'> = programOf(spec, from);
  return { ...program, ...common, kind: 'program', from };
}

/** Certificates of public authorities are renewed a month before their end: two weeks are late, and time enough. */
const DEFAULT_DAYS = 14;

function latencyOf({ latency }: ProbeSpec): { latencyMs?: number; percentile?: Percentile } {
  if (latency === undefined) return {};
  return typeof latency === 'number' ? { latencyMs: latency } : { percentile: latency };
}

function placeIn(text: string): { address: string; port: number } {
  const colon = text.lastIndexOf(':');
  return { address: text.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(text.slice(colon + 1)) };
}

function httpOf(spec: ProbeSpec, url: string): HttpProbe {
  const { status, contains, json, headers, answer, redirects, location, ca } = spec;
  return {
    kind: 'http',
    url,
    ...(status === undefined ? {} : { status: [status].flat().flatMap(statusesIn) }),
    ...(contains === undefined ? {} : { body: contains }),
    ...(json === undefined
      ? {}
      : { json: { pointer: json.pointer, ...('equals' in json ? { equals: json.equals } : {}) } }),
    ...(headers === undefined ? {} : { headers }),
    ...(answer === undefined ? {} : { answerHeaders: answer }),
    ...(redirects === undefined ? {} : { redirects }),
    ...(location === undefined ? {} : { location }),
    ...(ca === undefined ? {} : { ca }),
  };
}

/** The status codes that are meant by one, or by a class of them such as `2xx`. */
export const statusesIn = (status: number | string): number[] =>
  /^[1-5]xx$/.test(String(status))
    ? Array.from({ length: 100 }, (_, index) => Number(String(status)[0]) * 100 + index)
    : [Number(status)];

function prometheusOf(
  { query = '', threshold, empty, headers, ca }: ProbeSpec,
  base: string,
): HttpProbe & { name: string } {
  const asked = new URL('api/v1/query', base.endsWith('/') ? base : `${base}/`);
  asked.searchParams.set('query', query);
  return {
    kind: 'http',
    name: `Prometheus: ${query}`,
    url: asked.href,
    series: { ...(threshold ?? { operator: '==', limit: 0 }), emptyIsFine: empty === 'ok' },
    ...(headers === undefined ? {} : { headers }),
    ...(ca === undefined ? {} : { ca }),
  };
}
