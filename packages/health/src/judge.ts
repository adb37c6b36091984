import {
  type Answer,
  type HttpProbe,
  nameOf,
  type Percentile,
  type Probe,
  type TcpProbe,
  type Threshold,
  type TlsProbe,
} from './probe.js';

/** What one probe showed in one try. */
export interface Evidence {
  /** The probe's name. */
  readonly probe: string;
  readonly ok: boolean;
  /** Time to the whole answer, in milliseconds; of the slowest request where the probe made two. */
  readonly ms: number;
  /** What came back: `200`, `open`; for a failure also why it is one: `503 in 4 ms, body "…"`. */
  readonly seen: string;
  /** What is asked of the latest answers together. */
  readonly percentile?: Percentile;
  /** False where nothing came back: that has no time. */
  readonly answered?: false;
}

/** Whether the answers to a probe's requests are a success, and what they showed. */
export function judge(probe: Probe, answers: readonly Answer[]): Evidence {
  const ms = Math.max(0, ...answers.map((answer) => answer.ms));
  const { percentile } = probe;
  const evidence = (ok: boolean, seen: string): Evidence => ({
    ...{ probe: nameOf(probe), ok, ms, seen },
    ...(percentile ? { percentile } : {}),
  });
  const failed = answers.find((answer) => answer.kind === 'error');
  if (failed) return { ...evidence(false, failed.error), answered: false };
  const [answer] = answers;
  if (!answer) return evidence(false, 'no answer');
  if (probe.kind === 'program') {
    const { ok, seen } = answer.kind === 'program' ? probe.judge(answer.code, answer.output) : NOTHING;
    const late = ok && probe.latencyMs !== undefined && answer.ms > probe.latencyMs;
    return evidence(ok && !late, late ? `${short(seen)}, slower than ${probe.latencyMs} ms` : short(seen));
  }
  const { complaint, seen } = probe.kind === 'tls' ? certificate(probe, answer) : httpOrTcp(probe, answers);
  if (complaint !== undefined) return evidence(false, complaint);
  if (probe.latencyMs !== undefined && answer.ms > probe.latencyMs) {
    return evidence(false, `${seenOf(answer)}, slower than ${probe.latencyMs} ms`);
  }
  return evidence(true, seen);
}

const NOTHING = { ok: false, seen: 'no answer' };

interface Judged {
  readonly complaint?: string;
  readonly seen: string;
}

function httpOrTcp(probe: HttpProbe | TcpProbe, answers: readonly Answer[]): Judged {
  const [answer] = answers;
  const complaint = probe.kind === 'tcp' ? undefined : complaintOf(probe, answers);
  if (complaint !== undefined) return { complaint, seen: '' };
  if (answer?.kind !== 'http') return { seen: 'open' };
  const values = probe.kind === 'http' && probe.series ? seriesIn(answer.body) : undefined;
  return {
    seen: values
      ? `${answer.status}: ${values.map(shownNumber).join(', ') || 'no series'}`
      : String(answer.status),
  };
}

const DAY_MS = 86_400_000;

function certificate({ days }: TlsProbe, answer: Answer): Judged {
  if (answer.kind !== 'tls') return { complaint: 'no certificate', seen: '' };
  const left = Math.floor((answer.validTo - Date.now()) / DAY_MS);
  const until = Number.isNaN(answer.validTo)
    ? ''
    : `valid until ${new Date(answer.validTo).toISOString().slice(0, 10)}`;
  if (answer.problem !== null)
    return { complaint: [answer.problem, until].filter(Boolean).join(', '), seen: '' };
  if (!(left >= days)) return { complaint: `${until}, ${left} days from now, less than ${days}`, seen: '' };
  return { seen: `${until}, ${left} days from now` };
}

function complaintOf(probe: HttpProbe, [answer, second]: readonly Answer[]): string | undefined {
  if (answer?.kind !== 'http') return 'no HTTP answer';
  const statuses = probe.status ?? [200];
  if (!statuses.includes(answer.status)) return `${seenOf(answer)}${bodyOf(answer.body)}`;
  if (probe.body !== undefined && !answer.body.includes(probe.body)) {
    return `${seenOf(answer)} without "${short(probe.body)}"${bodyOf(answer.body)}`;
  }
  const inside = jsonComplaint(probe, answer) ?? seriesComplaint(probe, answer);
  if (inside !== undefined) return inside;
  for (const [name, value] of Object.entries(probe.answerHeaders ?? {})) {
    const found = answer.headers[name.toLowerCase()];
    if (found !== value) {
      return `${seenOf(answer)} with ${found === undefined ? `no header ${name}` : `${name}: ${short(found)}`}`;
    }
  }
  return releaseComplaint(probe, answer, second);
}

function jsonComplaint({ json }: HttpProbe, answer: HttpAnswer): string | undefined {
  if (json === undefined) return undefined;
  const document = parsed(answer.body);
  if (document === undefined) return `${seenOf(answer)} without JSON${bodyOf(answer.body)}`;
  const found = atPointer(document, json.pointer);
  if (found === undefined) return `${seenOf(answer)} without ${json.pointer} in its JSON`;
  if (json.equals === undefined || JSON.stringify(found) === JSON.stringify(json.equals)) return undefined;
  return `${seenOf(answer)} with ${json.pointer} = ${short(JSON.stringify(found))}, not ${short(JSON.stringify(json.equals))}`;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

/** The value at a JSON Pointer (RFC 6901); undefined where there is none. */
export function atPointer(document: unknown, pointer: string): unknown {
  return pointer
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'))
    .reduce<unknown>(
      (value, part) =>
        typeof value === 'object' && value !== null && Object.hasOwn(value, part)
          ? (value as Record<string, unknown>)[part]
          : undefined,
      document,
    );
}

function seriesComplaint({ series }: HttpProbe, answer: HttpAnswer): string | undefined {
  if (series === undefined) return undefined;
  const values = seriesIn(answer.body);
  if (values === undefined) return `${seenOf(answer)}, no answer of Prometheus${bodyOf(answer.body)}`;
  if (values.length === 0) return series.emptyIsFine ? undefined : 'the query has no series';
  const bad = values.find((value) => !holds(value, series));
  return bad === undefined ? undefined : `${shownNumber(bad)} is not ${series.operator} ${series.limit}`;
}

/** The values of an instant query, a vector's or a scalar; undefined where this is no such answer. */
function seriesIn(body: string): number[] | undefined {
  const answer = parsed(body) as
    { status?: string; data?: { resultType?: string; result?: unknown } } | undefined;
  if (answer?.status !== 'success') return undefined;
  const { resultType, result } = answer.data ?? {};
  if (resultType === 'scalar' && Array.isArray(result)) return [Number(result[1])];
  if (resultType !== 'vector' || !Array.isArray(result)) return undefined;
  return (result as { value?: readonly unknown[] }[]).map(({ value }) => Number(value?.[1]));
}

/** A value that is no number (0/0) holds nothing. */
export function holds(value: number, { operator, limit }: Threshold): boolean {
  switch (operator) {
    case '<':
      return value < limit;
    case '<=':
      return value <= limit;
    case '>':
      return value > limit;
    case '>=':
      return value >= limit;
    case '==':
      return value === limit;
    case '!=':
      return !Number.isNaN(value) && value !== limit;
  }
}

const shownNumber = (value: number): string => String(Number(value.toPrecision(6)));

function releaseComplaint(
  probe: HttpProbe,
  answer: HttpAnswer,
  second: Answer | undefined,
): string | undefined {
  const { release } = probe;
  if (release === undefined) return undefined;
  if ('header' in release) {
    const found = answer.headers[release.header.toLowerCase()];
    return found === release.id
      ? undefined
      : `${seenOf(answer)} of ${releaseName(found)}, not of ${release.id}`;
  }
  if (second?.kind !== 'http') return `no answer from ${release.path}`;
  if (second.status !== 200) return `${release.path}: ${seenOf(second)}${bodyOf(second.body)}`;
  const found = second.body.trim();
  return found === release.id
    ? undefined
    : `${seenOf(answer)} of ${releaseName(found)}, not of ${release.id}`;
}

type HttpAnswer = Extract<Answer, { kind: 'http' }>;

const releaseName = (found: string | undefined): string =>
  found ? `release "${short(found)}"` : 'no named release';

const seenOf = (answer: Answer): string =>
  `${answer.kind === 'http' ? answer.status : 'open'} in ${Math.round(answer.ms)} ms`;

const bodyOf = (body: string): string => (body.trim() === '' ? ', empty body' : `, body "${short(body)}"`);

const SHORT = 120;

/** The beginning of a text on one line, without characters that would disturb a terminal. */
function short(text: string): string {
  const line = text
    .slice(0, 4 * SHORT)
    .replace(/[\s\u0000-\u001f\u007f-\u009f]+/g, ' ')
    .trim();
  return line.length > SHORT ? `${line.slice(0, SHORT)}…` : line;
}
