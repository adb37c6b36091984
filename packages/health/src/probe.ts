/** Fields that every probe has. */
interface CommonProbe {
  /** What verdicts call it; default: its URL or address. */
  readonly name?: string;
  /** Name of the host in the inventory that asks; default: this machine. */
  readonly from?: string;
  /** An answer that takes longer, in milliseconds, is no success. */
  readonly latencyMs?: number;
}

/** Asks by HTTP GET; redirects are answers, they are not followed. */
export interface HttpProbe extends CommonProbe {
  readonly kind: 'http';
  /** `http://…` or `https://…`. */
  readonly url: string;
  /** Path of the unix socket that is connected to instead of the URL's host and port. */
  readonly socket?: string;
  /** Headers to send. They may hold a secret: no message shows them. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Status codes that are a success; default `[200]`. */
  readonly status?: readonly number[];
  /** Text that the body (its first 64 KiB) must contain. */
  readonly body?: string;
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

export type Probe = HttpProbe | TcpProbe;

/** What a probe sends: an HTTP probe that checks a release by path makes two requests, every other one. */
export type Request =
  | {
      readonly kind: 'http';
      readonly url: string;
      readonly socket?: string;
      readonly headers: Readonly<Record<string, string>>;
    }
  | { readonly kind: 'tcp'; readonly address: string; readonly port: number };

/** What came back: an HTTP answer (header names in small letters), an open connection, or neither. */
export type Answer =
  | {
      readonly kind: 'http';
      readonly ms: number;
      readonly status: number;
      readonly headers: Readonly<Record<string, string>>;
      readonly body: string;
    }
  | { readonly kind: 'tcp'; readonly ms: number }
  | { readonly kind: 'error'; readonly ms: number; readonly error: string };

/** How much of a body is read, in bytes. */
export const BODY_LIMIT = 64 * 1024;

export interface AskOptions {
  /** How often the requests are made, as long as all of them are answered. */
  readonly rounds: number;
  /** Pause between two rounds, in milliseconds. */
  readonly intervalMs: number;
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
  const request = (url: string): Request => ({
    kind: 'http',
    url,
    headers: probe.headers ?? {},
    ...(probe.socket === undefined ? {} : { socket: probe.socket }),
  });
  const { release } = probe;
  const asksAgain = release !== undefined && 'path' in release;
  return [request(probe.url), ...(asksAgain ? [request(new URL(release.path, probe.url).href)] : [])];
}

/** What a person calls a probe. */
export function nameOf(probe: Probe): string {
  if (probe.name !== undefined) return probe.name;
  const by = probe.from === undefined ? '' : ` (asked by ${probe.from})`;
  if (probe.kind === 'tcp') return `${probe.address} port ${probe.port}${by}`;
  const { pathname, search, href } = new URL(probe.url);
  return `${probe.socket === undefined ? href : `${probe.socket} ${pathname}${search}`}${by}`;
}
