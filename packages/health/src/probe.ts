/** Fields that every probe has. */
interface CommonProbe {
  /** What verdicts call it; default: its URL or address. */
  readonly name?: string;
  /** Name of the host in the inventory that asks; default: this machine. */
  readonly from?: string;
  /** An answer that takes longer, in milliseconds, is no success. */
  readonly latencyMs?: number;
  /** Of the latest so many answers, the share that may take no longer than so many milliseconds (`{ share: 0.95, … }`: p95). */
  readonly percentile?: Percentile;
}

export interface Percentile {
  /** 0 to 1 */
  readonly share: number;
  readonly ms: number;
  readonly samples: number;
}

/** Asks by HTTP GET. */
export interface HttpProbe extends CommonProbe {
  readonly kind: 'http';
  /** `http://…` or `https://…`. */
  readonly url: string;
  /** Path of the unix socket that is connected to instead of the URL's host and port. */
  readonly socket?: string;
  /** Headers to send. They may hold a secret: no message shows them, and no redirect takes them to another origin. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Certificates (PEM) of the only authorities that are believed; default: those that whoever asks believes anyway. */
  readonly ca?: string;
  /** Status codes that are a success; default `[200]`, or those of redirects where `location` asks for one. */
  readonly status?: readonly number[];
  /** How many redirects are followed; default none: a redirect is the answer. */
  readonly redirects?: number;
  /** Where the answer must lead to, or, when redirects are followed, must have come from; may be relative to `url`. */
  readonly location?: string;
  /** Text that the body (its first MiB) must contain. */
  readonly body?: string;
  /** What the body must hold as JSON, at a place named by a JSON Pointer (RFC 6901): `/checks/0/status`. */
  readonly json?: { readonly pointer: string; readonly equals?: unknown };
  /** An instant query of Prometheus: every value of the answer must stand in this relation to the threshold. */
  readonly series?: Threshold & { readonly emptyIsFine: boolean };
  /** Headers that the answer must have, with exactly these values. */
  readonly answerHeaders?: Readonly<Record<string, string>>;
  /** The release that must answer: its id is the trimmed body of `path` at the same place, or the value of `header`. */
  readonly release?: { readonly id: string } & ({ readonly path: string } | { readonly header: string });
}

/** Opens a TCP connection and closes it. */
export interface TcpProbe extends CommonProbe {
  readonly kind: 'tcp';
  readonly address: string;
  readonly port: number;
}

/** A value and what it is compared with: `< 0.01`. */
export interface Threshold {
  readonly operator: '<' | '<=' | '>' | '>=' | '==' | '!=';
  readonly limit: number;
}

/** Looks at the certificate that a server shows. */
export interface TlsProbe extends CommonProbe {
  readonly kind: 'tls';
  readonly address: string;
  readonly port: number;
  /** The name that the certificate must be for; default: the address. */
  readonly servername?: string;
  /** Certificates (PEM) of the only authorities that are believed; default: those that whoever asks believes anyway. */
  readonly ca?: string;
  /** Days for which it must still be valid. */
  readonly days: number;
}

/** Runs a program on the host, as root, and looks at what it says. */
export interface ProgramProbe extends CommonProbe {
  readonly kind: 'program';
  readonly from: string;
  readonly argv: readonly string[];
  /** Standard input; none means an empty one. */
  readonly input?: string;
  /**
   * What is wrong with the exit code and the output (its first MiB), and what was seen.
   */
  readonly judge: (code: number, output: string) => { readonly ok: boolean; readonly seen: string };
}

export type Probe = HttpProbe | TcpProbe | TlsProbe | ProgramProbe;

/** What a probe sends: an HTTP probe that checks a release by path makes two requests, every other one. */
export type Request =
  | {
      readonly kind: 'http';
      readonly url: string;
      readonly socket?: string;
      readonly headers: Readonly<Record<string, string>>;
      readonly redirects: number;
      readonly ca?: string;
      /** How much of the body is wanted, in bytes. */
      readonly most: number;
    }
  | { readonly kind: 'tcp'; readonly address: string; readonly port: number }
  | {
      readonly kind: 'tls';
      readonly address: string;
      readonly port: number;
      readonly servername: string;
      readonly ca?: string;
    }
  | { readonly kind: 'program'; readonly argv: readonly string[]; readonly input: string };

/** What came back: an HTTP answer (header names in small letters), an open connection, a certificate, words, or nothing. */
export type Answer =
  | {
      readonly kind: 'http';
      readonly ms: number;
      readonly status: number;
      readonly headers: Readonly<Record<string, string>>;
      readonly body: string;
      /** True when the body is longer than what was wanted of it. */
      readonly cut: boolean;
      /** How many redirects were followed. */
      readonly redirects: number;
      /** What was asked in the end, without a login. */
      readonly url: string;
    }
  | { readonly kind: 'tcp'; readonly ms: number }
  | {
      readonly kind: 'tls';
      readonly ms: number;
      /** Why nobody should believe it; null when all is well. */
      readonly problem: string | null;
      /** End of its validity, in milliseconds since the epoch; NaN when that is not known. */
      readonly validTo: number;
    }
  | {
      readonly kind: 'program';
      readonly ms: number;
      readonly code: number;
      readonly output: string;
      /** True when the output is longer than what is read of it. */
      readonly cut: boolean;
    }
  | { readonly kind: 'error'; readonly ms: number; readonly error: string };

export type HttpRequest = Extract<Request, { kind: 'http' }>;

/** Everything of an answer but the time that it took. */
export type Untimed<T> = T extends unknown ? Omit<T, 'ms'> : never;

/** How much of a body or an output is read, in bytes. */
export const BODY_LIMIT = 1024 * 1024;

/** Enough of a body that is only shown, or that is the id of a release. */
const GLANCE = 4 * 1024;

export interface AskOptions {
  /** How often in a row the requests are to be answered, all of them. */
  readonly rounds: number;
  /** For how long a host goes on asking when one is not; after that, and on the runner, the first such round is the last. */
  readonly patienceMs: number;
  /** Pause between two rounds, in milliseconds. */
  readonly intervalMs: number;
  /** Pause before the first round, in milliseconds. */
  readonly delayMs: number;
  /** Limit for each request, in milliseconds. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

/**
 * Makes requests side by side, `rounds` times over, and stops early at a round in which one got no answer at all.
 *
 * @returns the answers of each round, in the order of the requests.
 */
export type Ask = (requests: readonly Request[], options: AskOptions) => Promise<Answer[][]>;

/** The requests of a probe, in the order in which `judge` expects their answers. */
export function requestsOf(probe: Probe): Request[] {
  if (probe.kind === 'tcp') return [{ kind: 'tcp', address: probe.address, port: probe.port }];
  if (probe.kind === 'tls') {
    const { address, port, servername = address, ca } = probe;
    return [{ kind: 'tls', address, port, servername, ...(ca === undefined ? {} : { ca }) }];
  }
  if (probe.kind === 'program') return [{ kind: 'program', argv: probe.argv, input: probe.input ?? '' }];
  const { release } = probe;
  const readsBody = probe.body !== undefined || probe.json !== undefined || probe.series !== undefined;
  const first = httpRequest(probe, probe.url, readsBody ? BODY_LIMIT : GLANCE);
  return release !== undefined && 'path' in release
    ? [first, httpRequest(probe, new URL(release.path, probe.url).href, GLANCE)]
    : [first];
}

function httpRequest(
  { headers = {}, redirects = 0, socket, ca }: HttpProbe,
  url: string,
  most: number,
): HttpRequest {
  return {
    ...({ kind: 'http', url, headers, redirects, most } as const),
    ...(socket === undefined ? {} : { socket }),
    ...(ca === undefined ? {} : { ca }),
  };
}

/** A URL as it may be shown: a login in it is for the server alone. */
export function withoutLogin(text: string): string {
  const url = new URL(text);
  [url.username, url.password] = ['', ''];
  return url.href;
}

/** What a person calls a probe. */
export function nameOf(probe: Probe): string {
  if (probe.name !== undefined) return probe.name;
  const by = probe.from === undefined ? '' : ` (asked by ${probe.from})`;
  if (probe.kind === 'tcp') return `${probe.address} port ${probe.port}${by}`;
  if (probe.kind === 'tls')
    return `certificate of ${probe.servername ?? probe.address} port ${probe.port}${by}`;
  if (probe.kind === 'program') return `${probe.argv[0] ?? ''} on ${probe.from}`;
  const { pathname, search, href } = new URL(withoutLogin(probe.url));
  return `${probe.socket === undefined ? href : `${probe.socket} ${pathname}${search}`}${by}`;
}
