import {
  type Answer,
  BODY_LIMIT,
  type HttpProbe,
  nameOf,
  type Percentile,
  type Probe,
  type ProgramProbe,
  type TcpProbe,
  type Threshold,
  type TlsProbe,
  withoutLogin,
} from './probe.js';

/** What one probe showed in one try. */
export interface Evidence {
  /** The probe's name. */
  readonly probe: string;
  /** Who asked: a host's name, or `runner`. */
  readonly from: string;
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
    ...{ probe: nameOf(probe), from: probe.from ?? 'runner', ok, ms, seen },
    ...(percentile ? { percentile } : {}),
  });
  const failed = answers.find((answer) => answer.kind === 'error');
  if (failed) return { ...evidence(false, failed.error), answered: false };
  const [answer] = answers;
  if (!answer) return evidence(false, 'no answer');
  if (probe.kind === 'program') {
    const { ok, seen } = answer.kind === 'program' ? judgeProgram(probe, answer) : NOTHING;
    const late = ok && probe.latencyMs !== undefined && answer.ms > probe.latencyMs;
    return evidence(ok && !late, late ? `${seen}, slower than ${probe.latencyMs} ms` : seen);
  }
  const { complaint, seen } = probe.kind === 'tls' ? certificate(probe, answer) : httpOrTcp(probe, answers);
  if (complaint !== undefined) return evidence(false, complaint);
  if (probe.latencyMs !== undefined && answer.ms > probe.latencyMs) {
    return evidence(false, `${seenOf(answer)}, slower than ${probe.latencyMs} ms`);
  }
  return evidence(true, seen);
}

const NOTHING = { ok: false, seen: 'no answer' };

function judgeProgram(probe: ProgramProbe, { code, output, cut }: Extract<Answer, { kind: 'program' }>) {
  const { ok, seen } = probe.judge(code, output);
  const said = short(seen, SENTENCE);
  return { ok, seen: ok || !cut ? said : `${said}; of more output, ${LIMIT} were read` };
}

const LIMIT = `${BODY_LIMIT / 1024 / 1024} MiB`;

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
    seen: values ? `${answer.status}: ${seriesShown(values)}` : `${answer.status}${wayOf(answer)}`,
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
  const statuses = probe.status ?? (leadsElsewhere(probe) ? REDIRECTS : [200]);
  if (!statuses.includes(answer.status)) {
    return `${seenOf(answer)}${leadingTo(probe, answer)}${bodyOf(answer.body)}`;
  }
  if (probe.body !== undefined && !answer.body.includes(probe.body)) {
    const where = answer.cut ? ` in the first ${LIMIT}` : '';
    return `${seenOf(answer)} without "${short(probe.body)}"${where}${bodyOf(answer.body)}`;
  }
  const astray = locationComplaint(probe, answer);
  if (astray !== undefined) return astray;
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

const REDIRECTS = [301, 302, 303, 307, 308];

/** Where the redirect itself is what is asked for. */
const leadsElsewhere = ({ location, redirects = 0 }: HttpProbe): boolean =>
  location !== undefined && redirects === 0;

function locationComplaint(probe: HttpProbe, answer: HttpAnswer): string | undefined {
  if (probe.location === undefined) return undefined;
  const wanted = withoutLogin(new URL(probe.location, probe.url).href);
  const found = leadsElsewhere(probe) ? targetOf(answer) : answer.url;
  if (found === wanted) return undefined;
  const verb = leadsElsewhere(probe) ? 'leading to' : 'from';
  return `${seenOf(answer)} ${verb} ${short(found ?? 'nowhere')}, not ${leadsElsewhere(probe) ? 'to ' : ''}${short(wanted)}`;
}

/** What the header `Location` says, as a whole URL. */
function targetOf({ headers, url }: HttpAnswer): string | undefined {
  const text = headers['location'];
  return text !== undefined && URL.canParse(text, url) ? withoutLogin(new URL(text, url).href) : text;
}

/** Where a redirect that was not followed leads. */
function leadingTo({ redirects = 0 }: HttpProbe, answer: HttpAnswer): string {
  const target = REDIRECTS.includes(answer.status) ? targetOf(answer) : undefined;
  if (target === undefined) return '';
  const limit = redirects > 0 && answer.redirects >= redirects ? ', and no more are followed' : '';
  return `, leading to ${short(target)}${limit}`;
}

function jsonComplaint({ json }: HttpProbe, answer: HttpAnswer): string | undefined {
  if (json === undefined) return undefined;
  if (answer.cut) return `${seenOf(answer)}, ${TOO_LONG}`;
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
  if (answer.cut) return `${seenOf(answer)}, ${TOO_LONG}`;
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

/** So many series can be read one by one. */
const FEW = 8;

function seriesShown(values: readonly number[]): string {
  if (values.length <= FEW) return values.map(shownNumber).join(', ') || 'no series';
  const [least, most] = [Math.min, Math.max].map((of) => shownNumber(values.reduce((a, b) => of(a, b))));
  return `${values.length} series from ${least} to ${most}`;
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
  answer.kind === 'http'
    ? `${answer.status}${wayOf(answer)} in ${Math.round(answer.ms)} ms`
    : `open in ${Math.round(answer.ms)} ms`;

/** The redirects that were followed, and where they led. */
const wayOf = ({ redirects, url }: HttpAnswer): string =>
  redirects === 0 ? '' : ` after ${redirects} ${redirects === 1 ? 'redirect' : 'redirects'} to ${short(url)}`;

/** No JSON can be read of a part. */
const TOO_LONG = `a body of more than ${LIMIT}: ask for less of it`;

const bodyOf = (body: string): string => (body.trim() === '' ? ', empty body' : `, body "${short(body)}"`);

const SHORT = 120;
/** What a program says, with the reason why that is not well. */
const SENTENCE = 300;

/** The beginning of a text on one line, without characters that would disturb a terminal. */
function short(text: string, most = SHORT): string {
  const line = text
    .slice(0, 4 * most)
    .replace(/[\s\u0000-\u001f\u007f-\u009f]+/g, ' ')
    .trim();
  return line.length > most ? `${line.slice(0, most)}…` : line;
}
