import { isIP } from 'node:net';
import { commandLine, type Remote } from '@perlstack/remote';
import { type Answer, type Ask, BODY_LIMIT, type Request } from './probe.js';

/**
 * Reads one request a line from standard input: `tcp ADDRESS PORT` or `http` and a curl configuration in base64 (it may
 * hold a secret, which an argument would show to everybody on the host). Prints for each answer a line of round, request,
 * exit code, microseconds, and head and body in base64.
 */
const SCRIPT = String.raw`
rounds=$1 pause=$2 limit=$3 most=$4
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
now() { date +%s%N; }
ask_http() {
  printf %s "$2" | base64 -d >"$work/$1.curlrc"
  { curl -q --config "$work/$1.curlrc" --noproxy '*' --silent --show-error --include --max-time "$limit" 2>"$work/$1.err"
    echo $? >"$work/$1.code"; } | head -c "$most" >"$work/$1.out"
}
ask_tcp() {
  timeout "$limit" bash -c 'exec 3<>"/dev/tcp/$0/$1"' "$2" "$3" 2>"$work/$1.err"
  echo $? >"$work/$1.code"
  : >"$work/$1.out"
}
ask_tls() {
  printf %s "$2" | base64 -d >"$work/$1.argv"
  timeout "$limit" sh "$work/$1.argv" </dev/null >"$work/$1.out" 2>"$work/$1.err"
  echo $? >"$work/$1.code"
}
ask_program() {
  printf %s "$2" | base64 -d >"$work/$1.argv"
  printf %s "$3" | base64 -d >"$work/$1.in"
  { timeout "$limit" sh "$work/$1.argv" <"$work/$1.in" 2>&1
    echo $? >"$work/$1.code"; } | head -c "$most" >"$work/$1.out"
  : >"$work/$1.err"
}
ask() {
  start=$(now)
  case $2 in
    http) ask_http "$1" "$3" ;;
    tcp) ask_tcp "$1" "$3" "$4" ;;
    tls) ask_tls "$1" "$3" ;;
    program) ask_program "$1" "$3" "$4" ;;
  esac
  echo $((($(now) - start) / 1000)) >"$work/$1.time"
}
requests=$(cat)
umask 077
round=0
while [ "$round" -lt "$rounds" ]; do
  [ "$round" -eq 0 ] || sleep "$pause"
  number=0
  while read -r kind first second; do
    ask "$number" "$kind" "$first" "$second" </dev/null &
    number=$((number + 1))
    # More at once would measure this host, and not those that are asked.
    [ $((number % 8)) -ne 0 ] || wait
  done <<REQUESTS
$requests
REQUESTS
  wait
  silent=0 index=0
  while [ "$index" -lt "$number" ]; do
    code=$(cat "$work/$index.code")
    [ "$code" = 0 ] || silent=1
    printf '%s %s %s %s %s %s\n' "$round" "$index" "$code" "$(cat "$work/$index.time")" \
      "$(base64 -w 0 <"$work/$index.out")" "$(head -c 300 "$work/$index.err" | base64 -w 0)"
    index=$((index + 1))
  done
  [ "$silent" = 0 ] || break
  round=$((round + 1))
done
`;

/** How long a host may take beyond the requests' own limits, in milliseconds: SSH and slow machines. */
const MARGIN_MS = 15_000;

/** Room for status line and headers besides the body. */
const HEAD_LIMIT = 16 * 1024;

/** Asks from a host: over SSH, one command however many rounds and requests. */
export function askOn(remote: Remote, host: string): Ask {
  return async (requests, { rounds, intervalMs, timeoutMs, signal }) => {
    const input = requests.map((request) => `${lineOf(request)}\n`).join('');
    const seconds = (ms: number): string => (ms / 1_000).toFixed(3);
    const args = [String(rounds), seconds(intervalMs), seconds(timeoutMs), String(BODY_LIMIT + HEAD_LIMIT)];
    const { stdout } = await remote.script(host, SCRIPT, args, {
      input,
      name: 'health probe',
      // A socket is its application's alone.
      sudo: requests.some(
        ({ kind, ...one }) => kind === 'program' || ('socket' in one && one.socket !== undefined),
      ),
      timeoutMs: rounds * (intervalMs + timeoutMs) + MARGIN_MS,
      ...(signal ? { signal } : {}),
    });
    return answersOf(stdout, requests, timeoutMs);
  };
}

function lineOf(request: Request): string {
  if (request.kind === 'tcp') return `tcp ${request.address} ${request.port}`;
  if (request.kind === 'tls') return `tls ${base64(certificateScript(request))}`;
  if (request.kind === 'program')
    return `program ${base64(commandLine(request.argv))} ${base64(request.input)}`;
  const lines = [
    `url = ${curlString(request.url)}`,
    'globoff',
    // curl would take headers of ours to any other host.
    ...(request.redirects === 0 || Object.keys(request.headers).length > 0
      ? []
      : ['location', `max-redirs = ${request.redirects}`, 'proto-redir = "=http,https"']),
    ...(request.socket === undefined ? [] : [`unix-socket = ${curlString(request.socket)}`]),
    ...Object.entries(request.headers).map(([name, value]) => `header = ${curlString(`${name}: ${value}`)}`),
  ];
  return `http ${base64(`${lines.join('\n')}\n`)}`;
}

const base64 = (text: string): string => Buffer.from(text).toString('base64');

/** Prints what OpenSSL says of the chain and the name, and when the certificate ends. */
function certificateScript({ address, port, servername }: Extract<Request, { kind: 'tls' }>): string {
  const place = address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
  const name = isIP(servername)
    ? ['-verify_ip', servername]
    : ['-servername', servername, '-verify_hostname', servername];
  const shown = commandLine(['openssl', 's_client', '-connect', place, ...name]);
  return `found=$(${shown} 2>&1 </dev/null) || true
printf '%s\\n' "$found" | sed -n 's/.*Verify return code: /verify /p' | tail -n 1
printf '%s\\n' "$found" | openssl x509 -noout -enddate 2>/dev/null || printf '%s\\n' "$found" | head -n 3 >&2
`;
}

/** A word in curl's configuration language. */
function curlString(text: string): string {
  const escaped = text
    .replace(/["\\]/g, '\\$&')
    .replaceAll('\n', '\\n')
    .replaceAll('\r', '\\r')
    .replaceAll('\t', '\\t');
  return `"${escaped}"`;
}

function answersOf(output: string, requests: readonly Request[], timeoutMs: number): Answer[][] {
  const rounds: Answer[][] = [];
  for (const line of output.split('\n')) {
    const [round, index, code, micros, out = '', err = ''] = line.split(' ');
    const request = requests[Number(index)];
    if (round === undefined || micros === undefined || request === undefined) continue;
    const ms = Number(micros) / 1_000;
    (rounds[Number(round)] ??= []).push(
      answerOf(request, Number(code), ms, fromBase64(out), fromBase64(err), timeoutMs),
    );
  }
  return rounds;
}

const fromBase64 = (text: string): string => Buffer.from(text, 'base64').toString('utf8');

/** curl ends with this code when nobody reads on: the body was longer than what is read of it. */
const CURL_WRITE_ERROR = 23;
const CURL_TIMEOUT = 28;
/** Its message names a host and port that are not connected to when a socket is. */
const CURL_NO_CONNECTION = 7;
const TIMEOUT_TIMEOUT = 124;

function answerOf(
  request: Request,
  code: number,
  ms: number,
  out: string,
  err: string,
  timeoutMs: number,
): Answer {
  if (code === CURL_TIMEOUT || code === TIMEOUT_TIMEOUT)
    return { kind: 'error', ms, error: `no answer in ${timeoutMs} ms` };
  if (request.kind === 'tls') return { ms, ...certificateIn(out, err) };
  if (request.kind === 'program') return { kind: 'program', ms, code, output: out };
  if (request.kind === 'tcp')
    return code === 0 ? { kind: 'tcp', ms } : { kind: 'error', ms, error: tcpError(err) };
  if (code === CURL_NO_CONNECTION && request.socket !== undefined)
    return { kind: 'error', ms, error: 'nobody accepts connections' };
  if (code !== 0 && code !== CURL_WRITE_ERROR) return { kind: 'error', ms, error: curlError(err, code) };
  return { ms, ...parseAnswer(out, request.redirects) };
}

function certificateIn(out: string, err: string): Untimed {
  const end = /^notAfter=(.*)$/m.exec(out)?.[1];
  const [, code, words] = /^verify (\d+) \((.*)\)$/m.exec(out) ?? [];
  if (end === undefined) return { kind: 'error', error: err.split('\n')[0] || 'no certificate' };
  return { kind: 'tls', problem: code === '0' ? null : (words ?? 'not verified'), validTo: Date.parse(end) };
}

type Untimed =
  { readonly kind: 'error'; readonly error: string } | Omit<Extract<Answer, { kind: 'tls' }>, 'ms'>;

const tcpError = (err: string): string =>
  /: ([A-Z][A-Za-z ]+)\s*$/.exec(err.split('\n')[0] ?? '')?.[1] ?? 'no connection';

const curlError = (err: string, code: number): string =>
  err.split('\n')[0]?.replace(/^curl: \(\d+\) /, '') || `curl ended with exit code ${code}`;

/**
 * Status, headers and body of an answer as it came over the line; heads of interim answers (1xx) are passed over, and those of
 * redirects that were followed.
 */
function parseAnswer(text: string, redirects: number): Omit<Extract<Answer, { kind: 'http' }>, 'ms'> {
  const end = text.indexOf('\r\n\r\n');
  const [statusLine = '', ...lines] = (end < 0 ? text : text.slice(0, end)).split('\r\n');
  const body = end < 0 ? '' : text.slice(end + 4);
  const status = Number(statusLine.split(' ')[1]);
  const passing = status < 200 || (redirects > 0 && status >= 300 && status < 400);
  if (passing && body.startsWith('HTTP/')) return parseAnswer(body, redirects);
  const headers: Record<string, string> = {};
  for (const line of lines) {
    const colon = line.indexOf(':');
    const name = line.slice(0, colon).toLowerCase();
    const value = line.slice(colon + 1).trim();
    headers[name] = headers[name] === undefined ? value : `${headers[name]}, ${value}`;
  }
  return { kind: 'http', status, headers, body };
}
