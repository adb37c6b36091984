import type { HttpProbe, Percentile, Probe, ProgramProbe } from './probe.js';
import { programOf } from './programs.js';
import type { ProbeSpec } from './spec.js';

/** Names of the hosts that a word means: a host's, a tier's; undefined for the runner. */
export type Places = (word: string | undefined) => readonly (string | undefined)[];

/** The probes that a list asks for: one for each host where a tier is named. */
export function probesOf(specs: readonly ProbeSpec[], places: Places): Probe[] {
  return specs.flatMap((spec) => places(spec.on ?? spec.from).map((from) => probeOf(spec, from)));
}

function probeOf(spec: ProbeSpec, from: string | undefined): Probe {
  const common = {
    ...(spec.name === undefined ? {} : { name: from === undefined ? spec.name : `${spec.name} (${from})` }),
    ...(from === undefined ? {} : { from }),
    ...latencyOf(spec),
  };
  if (spec.tcp !== undefined) return { ...common, kind: 'tcp', ...placeIn(spec.tcp) };
  if (spec.tls !== undefined) {
    const { servername, days = DEFAULT_DAYS } = spec;
    return {
      ...common,
      kind: 'tls',
      ...placeIn(spec.tls),
      days,
      ...(servername === undefined ? {} : { servername }),
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
  const { status, contains, json, headers, answer, redirects } = spec;
  return {
    kind: 'http',
    url,
    ...(status === undefined ? {} : { status: [status].flat() }),
    ...(contains === undefined ? {} : { body: contains }),
    ...(json === undefined
      ? {}
      : { json: { pointer: json.pointer, ...('equals' in json ? { equals: json.equals } : {}) } }),
    ...(headers === undefined ? {} : { headers }),
    ...(answer === undefined ? {} : { answerHeaders: answer }),
    ...(redirects === undefined ? {} : { redirects }),
  };
}

function prometheusOf(
  { query = '', threshold, empty, headers }: ProbeSpec,
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
  };
}
