import { posix } from 'node:path';
import { type AppFacts, PREFLIGHT_ID, type WebFacts } from './facts.js';
import { allOf, type NginxDirective, readNginx } from './nginx.js';

/** Something on a host that would make a deploy lose requests, or say what is not true. */
export interface Finding {
  readonly host: string;
  /** `refuse`: it does; `warn`: it may. */
  readonly severity: 'refuse' | 'warn';
  /** What is there, what comes of it, and what to do. */
  readonly text: string;
}

/** What is to be deployed, and where things are to be. */
export interface Intent {
  readonly strategy: 'socket' | 'drain';
  /** `/srv/shop/releases` */
  readonly releases: string;
  /** `/srv/shop/current.sock` */
  readonly socketLink: string;
  /** Milliseconds that requests in flight may take. */
  readonly drainTimeout: number;
  /** Addresses and ports of all app hosts. */
  readonly addresses: readonly string[];
}

/** All that is wrong on the hosts; on those that were configured by us, and left so, nothing. */
export function findingsOf(intent: Intent, app: readonly AppFacts[], web: readonly WebFacts[]): Finding[] {
  return [
    ...app.flatMap((facts) => appFindings(intent, facts)),
    ...web.flatMap((facts) => webFindings(intent, facts)),
    ...perlFindings(app),
  ];
}

const APPLY = 'apply the configuration (apply-configs)';

function appFindings(intent: Intent, facts: AppFacts): Finding[] {
  const nginx = facts.nginx === null ? [] : readNginx(facts.nginx);
  return [
    ...unitFindings(intent, facts),
    ...localFindings(intent, facts, nginx),
    ...starmanFindings(facts, nginx),
  ];
}

function unitFindings(intent: Intent, { host, unit }: AppFacts): Finding[] {
  const refuse = (text: string): Finding => ({ host, severity: 'refuse', text });
  const warn = (text: string): Finding => ({ host, severity: 'warn', text });
  const quits = unit.killSignal === String(SIGQUIT);
  const stop = seconds(unit.timeoutStop);
  return [
    ...(quits && unit.killMode !== 'mixed'
      ? [
          refuse(
            `the unit has KillMode=${unit.killMode}: SIGQUIT then goes to the workers too, and each drops the request it is at; ` +
              `set KillMode=mixed, or ${APPLY}`,
          ),
        ]
      : []),
    ...(quits || unit.killSignal === ''
      ? []
      : [
          warn(
            `the unit stops by signal ${unit.killSignal}, at which Starman drops what is in flight; set KillSignal=SIGQUIT`,
          ),
        ]),
    ...(stop !== null && stop * 1_000 < intent.drainTimeout
      ? [
          warn(
            `systemd kills an instance ${stop} s after its stop, before the ${intent.drainTimeout / 1_000} s of app.drainTimeout are ` +
              `over; raise TimeoutStopSec, or ${APPLY}`,
          ),
        ]
      : []),
    ...strayPaths(intent, unit).map((path) =>
      refuse(
        `the unit runs ${path}, which is not in the folder of its own release: it would answer with another release's code while ` +
          `all looks well; name ${intent.releases}/%i/…, or ${APPLY}`,
      ),
    ),
  ];
}

const SIGQUIT = 3;

/** The PSGI file and folders of modules that lead somewhere else than into the instance's own release. */
function strayPaths(
  { releases }: Intent,
  { command, workingDirectory, perl5lib }: AppFacts['unit'],
): string[] {
  const own = `${posix.join(releases, PREFLIGHT_ID)}/`;
  const lies = (path: string, folder: string): boolean =>
    posix.resolve(workingDirectory || '/', path).startsWith(folder);
  const before = (at: number): string => (command[at - 1] === '-M' ? '-M ' : '');
  const named = command.flatMap((word, at) => {
    if (word === '-I') return command.slice(at + 1, at + 2);
    if (/^-I./.test(word)) return [word.slice(2)];
    if (/^-M ?lib=/.test(`${before(at)}${word}`)) return word.replace(/^(-M)?lib=/, '').split(',');
    return word.endsWith('.psgi') ? [word] : [];
  });
  // Beside those of the releases it may well lead to modules that all of them share.
  const inherited = perl5lib.split(':').filter((path) => path && lies(path, `${posix.dirname(releases)}/`));
  return [...named, ...inherited].filter((path) => !lies(path, own));
}

/** nginx on the app host, in front of Starman's socket. */
function localFindings(intent: Intent, { host }: AppFacts, nginx: readonly NginxDirective[]): Finding[] {
  const socket = `unix:${intent.socketLink}`;
  const upstream = upstreamTo(nginx, (server) => server === socket);
  return [
    ...(upstream && allOf(upstream.block, 'keepalive').length > 0
      ? [
          finding(
            host,
            'refuse',
            `nginx keeps connections to Starman open (keepalive in upstream ${upstream.words[0]}): each holds a worker, and after a switch ` +
              `the old release goes on getting requests and never drains; remove keepalive, or ${APPLY}`,
          ),
        ]
      : []),
    ...(upstream ? serversOf(upstream) : [])
      .filter((server) => optionOf(server, 'max_fails') !== '0')
      .map(() =>
        finding(
          host,
          'warn',
          `nginx may hold its only Starman for dead (no max_fails=0 in upstream ${upstream?.words[0]}): one failure then is 502 for ` +
            `${FAIL_TIMEOUT} s; set max_fails=0, or ${APPLY}`,
        ),
      )
      .slice(0, 1),
    ...doubling(host, nginx),
  ];
}

/** nginx's defaults: one failure takes a server out for ten seconds. */
const FAIL_TIMEOUT = 10;

/** Seconds of `fail_timeout` for which a deploy waits before it takes the next server out. */
export const LONGEST_SHY = 3;

function webFindings(intent: Intent, { host, nginx }: WebFacts): Finding[] {
  const all = nginx === null ? [] : readNginx(nginx);
  const upstream = upstreamTo(all, (server) => intent.addresses.includes(server));
  if (upstream === undefined) return doubling(host, all);
  const found = intent.strategy === 'drain' ? drainFindings(host, all, upstream) : fragility(host, upstream);
  return [...found, ...doubling(host, all)];
}

const nameOf = ({ words: [name = ''] }: NginxDirective): string => name;

function fragility(host: string, upstream: NginxDirective): Finding[] {
  const servers = serversOf(upstream);
  if (servers.length < 2 || !servers.some(isFragile)) return [];
  return [
    finding(
      host,
      'warn',
      `nginx leaves an app server out for ${FAIL_TIMEOUT} s or more after a failure or two (max_fails and fail_timeout, whose defaults ` +
        `are 1 and ${FAIL_TIMEOUT} s, in upstream ${nameOf(upstream)}): two that fail one soon after the other are an outage; set ` +
        `max_fails=10 fail_timeout=3s, or ${APPLY}`,
    ),
  ];
}

/** What would let a request fail while a server refuses connections. */
function drainFindings(host: string, all: readonly NginxDirective[], upstream: NginxDirective): Finding[] {
  const refuse = (text: string): Finding => finding(host, 'refuse', text);
  const servers = serversOf(upstream);
  const shy = Math.max(0, ...servers.filter((server) => failsOf(server) > 0).map(shyFor));
  const givesUp =
    allOf(all, 'proxy_next_upstream').some(({ words }) => !words.includes('error')) ||
    allOf(all, 'proxy_next_upstream_tries').some(
      ({ words: [tries = '0'] }) => tries === '1' || tries === '2',
    );
  return [
    ...(servers.length > 1 && shy > LONGEST_SHY
      ? [
          refuse(
            `nginx leaves an app server that refused it alone for ${shy} s (fail_timeout in upstream ${nameOf(upstream)}), and a deploy waits ` +
              `for ${LONGEST_SHY} before it takes the next one out; set max_fails=10 fail_timeout=3s, or ${APPLY}`,
          ),
        ]
      : []),
    ...(givesUp
      ? [
          refuse(
            'nginx does not ask two other app servers when one refuses the connection (proxy_next_upstream without error, or ' +
              `proxy_next_upstream_tries below 3); set "error timeout" and 3, or ${APPLY}`,
          ),
        ]
      : []),
    ...(allOf(upstream.block, 'keepalive').length > 0
      ? [
          refuse(
            `nginx keeps connections to the app servers open (keepalive in upstream ${nameOf(upstream)}): one that is to be out of service gets ` +
              'requests by them; remove keepalive',
          ),
        ]
      : []),
  ];
}

const finding = (host: string, severity: Finding['severity'], text: string): Finding => ({
  host,
  severity,
  text,
});

const doubling = (host: string, nginx: readonly NginxDirective[]): Finding[] =>
  allOf(nginx, 'proxy_next_upstream').some(({ words }) => words.includes('non_idempotent'))
    ? [
        finding(
          host,
          'refuse',
          'nginx sends a POST that was lost to another server (proxy_next_upstream … non_idempotent): it may be carried out twice; ' +
            'remove non_idempotent',
        ),
      ]
    : [];

const upstreamTo = (
  nginx: readonly NginxDirective[],
  leads: (server: string) => boolean,
): NginxDirective | undefined =>
  allOf(nginx, 'upstream').find((one) => serversOf(one).some(({ words: [server = ''] }) => leads(server)));

const serversOf = ({ block }: NginxDirective): NginxDirective[] =>
  block.filter(({ name }) => name === 'server');

const optionOf = ({ words }: NginxDirective, name: string): string | undefined =>
  words.find((word) => word.startsWith(`${name}=`))?.slice(name.length + 1);

function isFragile(server: NginxDirective): boolean {
  return failsOf(server) > 0 && failsOf(server) < 3 && shyFor(server) >= FAIL_TIMEOUT;
}

const failsOf = (server: NginxDirective): number => Number(optionOf(server, 'max_fails') ?? 1);
const shyFor = (server: NginxDirective): number => nginxSeconds(optionOf(server, 'fail_timeout'));

/** Seconds of a time in nginx's words, such as `3s`, `500ms`, `1m` or `10`. */
function nginxSeconds(text = `${FAIL_TIMEOUT}s`): number {
  const [, amount, unit = 's'] = /^(\d+)(ms|s|m|h)?$/.exec(text) ?? [];
  const units: Readonly<Record<string, number>> = { ms: 1e-3, s: 1, m: 60, h: 3_600 };
  return Number(amount) * (units[unit] ?? 1);
}

/** The first Starman whose workers survive an interrupted read (miyagawa/Starman pull request 148). */
const SOUND_STARMAN = 0.4017;

function starmanFindings({ host, starman }: AppFacts, nginx: readonly NginxDirective[]): Finding[] {
  if (starman === '' || Number(starman) >= SOUND_STARMAN) return [];
  const unbuffered = allOf(nginx, 'proxy_request_buffering').some(({ words }) => words[0] === 'off');
  if (!unbuffered) return [];
  return [
    finding(
      host,
      'refuse',
      `Starman ${starman} drops a request whose body is still being sent when it is told to stop (mended in ${SOUND_STARMAN}), and nginx ` +
        'hands bodies on as they come (proxy_request_buffering off); set it on',
    ),
  ];
}

/** Compiled modules fit one perl; a release that works on one host may not load on the next. */
function perlFindings(app: readonly AppFacts[]): Finding[] {
  const [first] = app;
  return app
    .filter(({ perl }) => first !== undefined && perl !== first.perl)
    .map(({ host, perl }) =>
      finding(
        host,
        'warn',
        `perl is ${perl}, on ${first?.host} ${first?.perl}: compiled modules fit only one of them; use one image`,
      ),
    );
}

/** Seconds of a time as systemd prints it: `1min 30s`, `500ms`; null for `infinity`. */
export function seconds(text: string): number | null {
  if (text === '' || text === 'infinity') return null;
  const units: Readonly<Record<string, number>> = { us: 1e-6, ms: 1e-3, s: 1, min: 60, h: 3_600, d: 86_400 };
  return [...text.matchAll(/([\d.]+)(us|ms|s|min|h|d)\b/g)].reduce(
    (sum, [, amount, unit = 's']) => sum + Number(amount) * (units[unit] ?? 1),
    0,
  );
}
