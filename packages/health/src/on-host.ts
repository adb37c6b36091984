import { isIP } from 'node:net';
import { commandLine, type Remote } from '@perlstack/remote';
import {
  type Answer,
  type Ask,
  BODY_LIMIT,
  type HttpRequest,
  type Request,
  type Untimed,
  withoutLogin,
} from './probe.js';

/**
 * Reads one request a line from standard input: its kind and words, those that may hold a secret or a blank in base64 (an
 * argument would show it to everybody on the host). Prints for each answer a line of round, request, exit code,
 * microseconds, and, in base64, output, errors and URL after so many redirects.
 */
const SCRIPT = String.raw`
rounds=$1 pause=$2 limit=$3 limit_ms=$4 patience_ms=$5 delay=$6
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
trap 'exit 143' TERM INT HUP PIPE
set -f
umask 077
now() { date +%s%N; }
plain() { [ "$1" = - ] || printf %s "$1" | base64 -d; }
# A setting of curl's: name, value
setting() {
  value=$2
  case $value in *[\\\"]*) value=$(printf %s "$value" | sed 's/[\\"]/\\&/g') ;; esac
  printf '%s = "%s"\n' "$1" "$value"
}
# number, URL, origin, the same with its port, redirects, settings for the origin alone, CA, bytes
ask_http() {
  next=$(plain "$2") followed=0
  plain "$6" >"$work/$1.own"
  plain "$7" >"$work/$1.ca"
  own=$work/$1.own
  while :; do
    { echo globoff; setting url "$next"
      # A folder without any: this authority alone is believed.
      [ ! -s "$work/$1.ca" ] || { mkdir -p "$work/none"; setting cacert "$work/$1.ca"; setting capath "$work/none"; }
    } >"$work/$1.curlrc"
    # The time is for the answers: it begins with the first question, and redirects share it.
    left=$limit_ms
    if [ "$followed" -gt 0 ]; then left=$((start / 1000000 + limit_ms - $(now) / 1000000)); fi
    [ "$left" -gt 0 ] || { echo 28 >"$work/$1.code"; break; }
    part=$((1000 + left % 1000))
    { curl -q --config "$work/$1.curlrc" --config "$own" --noproxy '*' --silent --show-error --include \
        --max-time "$((left / 1000)).\${part#1}" --write-out '%{stderr}\n@%{redirect_url}\n' 2>"$work/$1.err"
      echo $? >"$work/$1.code"; } | head -c "$8" >"$work/$1.out"
    [ "$followed" -lt "$5" ] && read -r code <"$work/$1.code" && [ "$code" = 0 ] || break
    to=$(sed -n 's/^@//p' "$work/$1.err" | tail -n 1)
    case $to in http://* | https://*) ;; *) break ;; esac
    case $to in
      "$3" | "$3"[/?#]* | "$4" | "$4"[/?#]*) ;;
      # Once away, also from there back.
      *) own=/dev/null ;;
    esac
    next=$to followed=$((followed + 1))
  done
  [ "$followed" -eq 0 ] || printf '%s %s' "$followed" "$next" >"$work/$1.way"
}
ask_tcp() {
  timeout "$limit" bash -c 'exec 3<>"/dev/tcp/$0/$1"' "$2" "$3" 2>"$work/$1.err"
  echo $? >"$work/$1.code"
  : >"$work/$1.out"
}
ask_tls() {
  plain "$2" >"$work/$1.argv"
  plain "$3" >"$work/$1.ca"
  timeout "$limit" sh "$work/$1.argv" "$work/$1.ca" </dev/null >"$work/$1.out" 2>"$work/$1.err"
  echo $? >"$work/$1.code"
}
ask_program() {
  plain "$2" >"$work/$1.argv"
  plain "$3" >"$work/$1.in"
  # What is not wanted is read all the same: a program that nobody reads is killed, and its code says nothing.
  { timeout "$limit" sh "$work/$1.argv" <"$work/$1.in" 2>&1
    echo $? >"$work/$1.code"; } | { head -c "$4" >"$work/$1.out"; cat >/dev/null; }
  : >"$work/$1.err"
}
# number, kind, words
ask() {
  start=$(now) number=$1 kind=$2
  shift 2
  : >"$work/$number.way"
  "ask_$kind" "$number" "$@"
  echo $((($(now) - start) / 1000)) >"$work/$number.time"
}
requests=$(cat)
[ "$delay" = 0.000 ] || sleep "$delay"
round=0 answered=0
patient_until=$(($(now) / 1000000 + patience_ms))
while [ "$answered" -lt "$rounds" ]; do
  [ "$round" -eq 0 ] || sleep "$pause"
  number=0
  while read -r kind words; do
    ask "$number" "$kind" $words </dev/null &
    number=$((number + 1))
    # More at once would measure this host, and not those that are asked.
    [ $((number % 8)) -ne 0 ] || wait
  done <<REQUESTS
$requests
REQUESTS
  wait
  silent=0 index=0
  while [ "$index" -lt "$number" ]; do
    read -r code <"$work/$index.code"
    read -r time <"$work/$index.time"
    [ "$code" = 0 ] || silent=1
    printf '%s %s %s %s ' "$round" "$index" "$code" "$time"
    [ ! -s "$work/$index.out" ] || base64 -w 0 <"$work/$index.out"
    printf ' '
    [ ! -s "$work/$index.err" ] || head -c 300 "$work/$index.err" | base64 -w 0
    printf ' '
    [ ! -s "$work/$index.way" ] || base64 -w 0 <"$work/$index.way"
    echo
    index=$((index + 1))
  done
  round=$((round + 1)) answered=$((answered + 1))
  [ "$silent" = 1 ] || continue
  answered=0
  [ $(($(now) / 1000000)) -lt "$patient_until" ] || break
done
`.replaceAll('\\${', '${');

/** How long a host may take beyond the requests' own limits, in milliseconds: SSH and slow machines. */
const MARGIN_MS = 15_000;

/** Room for status line and headers besides the body. */
const HEAD_LIMIT = 16 * 1024;

/** Asks from a host: over SSH, one command however many rounds and requests. */
export function askOn(remote: Remote, host: string): Ask {
  return async (requests, { rounds, intervalMs, delayMs, timeoutMs, patienceMs, signal }) => {
    const seconds = (ms: number): string => (ms / 1_000).toFixed(3);
    const whole = [timeoutMs, patienceMs].map((ms) => String(Math.ceil(ms)));
    const args = [String(rounds), seconds(intervalMs), seconds(timeoutMs), ...whole, seconds(delayMs)];
    // Line by line: all of them together may be more than is kept of an output.
    const answers = new Answers(requests, timeoutMs);
    await remote.script(host, SCRIPT, args, {
      input: requests.map((request) => `${lineOf(request)}\n`).join(''),
      name: 'health probe',
      // A socket is its application's alone.
      sudo: requests.some(
        ({ kind, ...one }) => kind === 'program' || ('socket' in one && one.socket !== undefined),
      ),
      timeoutMs: delayMs + rounds * (intervalMs + timeoutMs) + patienceMs + MARGIN_MS,
      onLine: (line, stream) => void (stream === 'stdout' && answers.add(line)),
      ...(signal ? { signal } : {}),
    });
    return answers.rounds;
  };
}

/** The words of a request: those that may be empty, hold a blank or a secret in base64. */
function lineOf(request: Request): string {
  switch (request.kind) {
    case 'tcp':
      return `tcp ${request.address} ${request.port}`;
    case 'tls':
      return `tls ${base64(certificateScript(request))} ${base64(request.ca ?? '')}`;
    case 'program':
      return `program ${base64(commandLine(request.argv))} ${base64(request.input)} ${BODY_LIMIT + 1}`;
    case 'http':
      return `http ${httpWords(request).join(' ')}`;
  }
}

function httpWords(request: HttpRequest): (string | number)[] {
  const { origin, protocol, port } = new URL(request.url);
  const withPort = port === '' ? `${origin}:${protocol === 'https:' ? 443 : 80}` : origin;
  return [
    base64(withoutLogin(request.url)),
    origin,
    withPort,
    request.redirects,
    base64(ownSettings(request)),
    base64(request.ca ?? ''),
    request.most + HEAD_LIMIT,
  ];
}

/** What curl may use at the origin that it was told, and at no other that a redirect leads to. */
function ownSettings({ url, headers, socket }: HttpRequest): string {
  const lines = [
    ...(socket === undefined ? [] : [`unix-socket = ${curlString(socket)}`]),
    ...Object.entries({ ...loginIn(url), ...headers }).map(
      ([name, value]) => `header = ${curlString(`${name}: ${value}`)}`,
    ),
  ];
  return lines.map((line) => `${line}\n`).join('');
}

/** As a header: curl would write a login into the URLs that it is led to. */
function loginIn(url: string): Record<string, string> {
  const { username, password } = new URL(url);
  const login = [username, password].map(decodeURIComponent).join(':');
  return login === ':' ? {} : { Authorization: `Basic ${base64(login)}` };
}

/** Never empty: it is a word of a line. */
const base64 = (text: string): string => Buffer.from(text).toString('base64') || '-';

/** Prints what OpenSSL says of the chain and the name, and when the certificate ends; `$1` is a file of authorities, empty for those of the host. */
function certificateScript({ address, port, servername }: Extract<Request, { kind: 'tls' }>): string {
  const place = address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
  const name = isIP(servername)
    ? ['-verify_ip', servername]
    : ['-servername', servername, '-verify_hostname', servername];
  const shown = commandLine(['openssl', 's_client', '-connect', place, ...name]);
  return `if [ -s "$1" ]; then set -- -CAfile "$1"; else set --; fi
found=$(${shown} "$@" 2>&1 </dev/null) || true
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

/** What the script printed, read line by line. */
class Answers {
  readonly #requests: readonly Request[];
  readonly #timeoutMs: number;
  readonly rounds: Answer[][] = [];

  constructor(requests: readonly Request[], timeoutMs: number) {
    this.#requests = requests;
    this.#timeoutMs = timeoutMs;
  }

  add(line: string): void {
    const [round, index, code, micros, out = '', err = '', way = ''] = line.split(' ');
    const request = this.#requests[Number(index)];
    if (round === undefined || micros === undefined || request === undefined) return;
    const raw = { code: Number(code), out: Buffer.from(out, 'base64'), err: text(err), way: text(way) };
    (this.rounds[Number(round)] ??= []).push({
      ...answerOf(request, raw, this.#timeoutMs),
      ms: Number(micros) / 1_000,
    });
  }
}

const text = (word: string): string => Buffer.from(word, 'base64').toString('utf8');

/** What came of one request. */
interface Raw {
  readonly code: number;
  readonly out: Buffer;
  readonly err: string;
  /** Number of redirects and URL. */
  readonly way: string;
}
/** curl ends with this code when nobody reads on: the body was longer than what is read of it. */
const CURL_WRITE_ERROR = 23;
const CURL_TIMEOUT = 28;
/** Its message names a host and port that are not connected to when a socket is. */
const CURL_NO_CONNECTION = 7;
const TIMEOUT_TIMEOUT = 124;

function answerOf(request: Request, { code, out, err, way }: Raw, timeoutMs: number): Untimed<Answer> {
  if (code === CURL_TIMEOUT || code === TIMEOUT_TIMEOUT) return fault(`no answer in ${timeoutMs} ms`);
  switch (request.kind) {
    case 'tls':
      return certificateIn(out.toString('utf8'), err);
    case 'program':
      return { kind: 'program', code, ...startOf(out, BODY_LIMIT) };
    case 'tcp':
      return code === 0 ? { kind: 'tcp' } : fault(tcpError(err));
    case 'http':
      if (code === CURL_NO_CONNECTION && request.socket !== undefined)
        return fault('nobody accepts connections');
      if (code !== 0 && code !== CURL_WRITE_ERROR) return fault(curlError(err, code));
      return httpAnswer(request, out, way);
  }
}

const fault = (error: string): Untimed<Answer> => ({ kind: 'error', error });

function startOf(bytes: Buffer, most: number): { output: string; cut: boolean } {
  return { output: bytes.subarray(0, most).toString('utf8'), cut: bytes.length > most };
}

function certificateIn(out: string, err: string): Untimed<Answer> {
  const end = /^notAfter=(.*)$/m.exec(out)?.[1];
  const [, code, words] = /^verify (\d+) \((.*)\)$/m.exec(out) ?? [];
  if (end === undefined) return fault(err.split('\n')[0] || 'no certificate');
  return { kind: 'tls', problem: code === '0' ? null : (words ?? 'not verified'), validTo: Date.parse(end) };
}

const tcpError = (err: string): string =>
  /: ([A-Z][A-Za-z ]+)\s*$/.exec(err.split('\n')[0] ?? '')?.[1] ?? 'no connection';

const curlError = (err: string, code: number): string =>
  err.split('\n')[0]?.replace(/^curl: \(\d+\) /, '') || `curl ended with exit code ${code}`;

const HEAD_END = Buffer.from('\r\n\r\n');

/** Status, headers and body of an answer as it came over the line; heads of interim answers (1xx) are passed over. */
function httpAnswer(request: HttpRequest, bytes: Buffer, way: string): Untimed<Answer> {
  const end = bytes.indexOf(HEAD_END);
  const [statusLine = '', ...lines] = bytes
    .subarray(0, end < 0 ? bytes.length : end)
    .toString('utf8')
    .split('\r\n');
  const rest = end < 0 ? Buffer.alloc(0) : bytes.subarray(end + HEAD_END.length);
  const status = Number(statusLine.split(' ')[1]);
  if (status < 200 && rest.subarray(0, 5).toString() === 'HTTP/') return httpAnswer(request, rest, way);
  const { output: body, cut } = startOf(rest, request.most);
  const [, redirects = '0', url = request.url] = /^(\d+) (.*)$/s.exec(way) ?? [];
  const asked = { redirects: Number(redirects), url: URL.canParse(url) ? withoutLogin(url) : url };
  return { kind: 'http', status, headers: headersIn(lines), body, cut, ...asked };
}

function headersIn(lines: readonly string[]): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const line of lines) {
    const colon = line.indexOf(':');
    const name = line.slice(0, colon).toLowerCase();
    const value = line.slice(colon + 1).trim();
    headers[name] = headers[name] === undefined ? value : `${headers[name]}, ${value}`;
  }
  return headers;
}
