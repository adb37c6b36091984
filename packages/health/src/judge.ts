import { type Answer, type HttpProbe, nameOf, type Probe } from './probe.js';

/** What one probe showed in one try. */
export interface Evidence {
  /** The probe's name. */
  readonly probe: string;
  readonly ok: boolean;
  /** Time to the whole answer, in milliseconds; of the slowest request where the probe made two. */
  readonly ms: number;
  /** What came back: `200`, `open`; for a failure also why it is one: `503 in 4 ms, body "…"`. */
  readonly seen: string;
}

/** Whether the answers to a probe's requests are a success, and what they showed. */
export function judge(probe: Probe, answers: readonly Answer[]): Evidence {
  const ms = Math.max(0, ...answers.map((answer) => answer.ms));
  const evidence = (ok: boolean, seen: string): Evidence => ({ probe: nameOf(probe), ok, ms, seen });
  const failed = answers.find((answer) => answer.kind === 'error');
  if (failed) return evidence(false, failed.error);
  const [answer] = answers;
  if (!answer) return evidence(false, 'no answer');
  const complaint = probe.kind === 'tcp' ? undefined : complaintOf(probe, answers);
  if (complaint !== undefined) return evidence(false, complaint);
  if (probe.latencyMs !== undefined && answer.ms > probe.latencyMs) {
    return evidence(false, `${seenOf(answer)}, slower than ${probe.latencyMs} ms`);
  }
  return evidence(true, answer.kind === 'http' ? String(answer.status) : 'open');
}

function complaintOf(probe: HttpProbe, [answer, second]: readonly Answer[]): string | undefined {
  if (answer?.kind !== 'http') return 'no HTTP answer';
  const statuses = probe.status ?? [200];
  if (!statuses.includes(answer.status)) return `${seenOf(answer)}${bodyOf(answer.body)}`;
  if (probe.body !== undefined && !answer.body.includes(probe.body)) {
    return `${seenOf(answer)} without "${short(probe.body)}"${bodyOf(answer.body)}`;
  }
  for (const [name, value] of Object.entries(probe.answerHeaders ?? {})) {
    const found = answer.headers[name.toLowerCase()];
    if (found !== value) {
      return `${seenOf(answer)} with ${found === undefined ? `no header ${name}` : `${name}: ${short(found)}`}`;
    }
  }
  return releaseComplaint(probe, answer, second);
}

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
