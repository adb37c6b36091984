import type { Host, Stack } from '@perlstack/stack';
import type { KeptMarks, ManagedFile, ServiceConfig } from '../bundle.js';
import { headingOf, textFile } from '../files.js';
import { STATUS_ADDRESS } from '../layout.js';
import {
  block,
  comment,
  directive,
  nginxTime,
  printNginx,
  type Expression,
  type Statement,
  type Word,
} from '../print/nginx.js';
import { printUnit } from '../print/systemd.js';
import { cutAfter } from '../timeouts.js';
import { accessLogFormat } from './log.js';

/** What one tier's nginx adds to the frame that all share. */
export interface NginxRole {
  /** Group of the worker processes; `null` is that of their user. */
  readonly group: string | null;
  /** Where this tier finds the id under which both tiers log a request. */
  readonly requestId: Expression;
  /** Directives of the `http` block. */
  readonly http: readonly Statement[];
  /** The site's own file, upstreams and servers, without its heading. */
  readonly site: string;
  /** What of that file is not rendered. */
  readonly siteKeeps?: KeptMarks;
  /** Files and folders besides the configuration itself. */
  readonly files?: readonly ManagedFile[];
  readonly folders?: readonly string[];
  readonly removes?: readonly string[];
  readonly probes: readonly Probe[];
}

/** What must answer 200 after a reload. */
export interface Probe {
  readonly url: string;
  /** Further options of curl. */
  readonly options?: readonly string[];
}

/** nginx itself, whatever it serves. */
export const STATUS_PROBE: Probe = { url: `http://${STATUS_ADDRESS}/nginx_health` };

const CONNECTIONS = 8_192;

/** Answers as long as nginx runs, for load balancers and for the check after a reload; says nothing of the app. */
export function healthLocation(): Statement {
  return block(
    'location',
    ['=', '/nginx_health'],
    [directive('access_log', 'off'), directive('default_type', 'text/plain'), directive('return', 200, 'ok')],
  );
}

function statusServer(): Statement {
  return block(
    'server',
    [],
    [
      directive('listen', STATUS_ADDRESS),
      directive('access_log', 'off'),
      healthLocation(),
      block('location', ['=', '/stub_status'], [directive('stub_status')]),
      block('location', ['/'], [directive('return', 404)]),
    ],
  );
}

function httpBlock(role: NginxRole): Statement {
  return block(
    'http',
    [],
    [
      directive('include', '/etc/nginx/mime.types'),
      directive('default_type', 'application/octet-stream'),
      directive('sendfile', 'on'),
      directive('tcp_nopush', 'on'),
      directive('server_tokens', 'off'),
      directive('types_hash_max_size', 2_048),
      comment('Room for long names, and for many.'),
      directive('server_names_hash_bucket_size', 512),
      directive('server_names_hash_max_size', 4_096),
      accessLogFormat(role.requestId),
      directive('access_log', '/var/log/nginx/access.log', 'perlstack'),
      comment('A connection that is slow to speak is given up; a request itself may take its time.'),
      directive('client_header_timeout', '15s'),
      directive('client_body_timeout', '30s'),
      directive('send_timeout', '30s'),
      directive('keepalive_timeout', '65s'),
      directive('reset_timedout_connection', 'on'),
      ...role.http,
      statusServer(),
      directive('include', '/etc/nginx/conf.d/*.conf'),
      directive('include', '/etc/nginx/sites-enabled/*'),
    ],
  );
}

function mainStatements(stack: Stack, host: Host, role: NginxRole): Statement[] {
  const user: Word[] = role.group === null ? ['www-data'] : ['www-data', role.group];
  return [
    comment(headingOf(stack, host)),
    directive('user', ...user),
    directive('worker_processes', 'auto'),
    directive('worker_rlimit_nofile', CONNECTIONS * 2),
    directive('pid', '/run/nginx.pid'),
    directive('error_log', '/var/log/nginx/error.log', 'warn'),
    directive('include', '/etc/nginx/modules-enabled/*.conf'),
    comment('After a reload, old workers stay until their requests are done, but not for ever.'),
    directive('worker_shutdown_timeout', nginxTime(cutAfter(stack).nginxWorkers)),
    block('events', [], [directive('worker_connections', CONNECTIONS)]),
    httpBlock(role),
  ];
}

/** Debian's unit does not come back after a crash. */
function restartDropIn(stack: Stack, host: Host): string {
  return printUnit(
    [headingOf(stack, host)],
    [
      { name: 'Unit', entries: [['StartLimitIntervalSec', 0]] },
      {
        name: 'Service',
        entries: [
          ['Restart', 'on-failure'],
          ['RestartSec', '1s'],
        ],
      },
    ],
  );
}

const probe = ({ url, options = [] }: Probe): string[] => [
  ...['curl', '--fail', '--silent', '--show-error', '--noproxy', '*', '--max-time', '5'],
  ...['--output', '/dev/null', ...options, url],
];

const folder = (path: string) => ({ path, owner: 'root', group: 'root', mode: 0o755 });

/** nginx as a service of one host: the frame, the tier's own part, and how they are checked. */
export function nginxService(stack: Stack, host: Host, role: NginxRole): ServiceConfig {
  const site = printNginx([comment(headingOf(stack, host))]) + role.site;
  return {
    name: 'nginx',
    packages: ['nginx', 'curl'],
    directories: ['/etc/nginx/server.d', ...(role.folders ?? [])].map(folder),
    files: [
      textFile('/etc/nginx/nginx.conf', printNginx(mainStatements(stack, host, role))),
      {
        ...textFile(`/etc/nginx/conf.d/${stack.app.name}.conf`, site),
        ...(role.siteKeeps ? { keeps: role.siteKeeps } : {}),
      },
      ...(role.files ?? []),
      textFile('/etc/systemd/system/nginx.service.d/perlstack.conf', restartDropIn(stack, host)),
    ],
    removes: ['/etc/nginx/sites-enabled/default', ...(role.removes ?? [])],
    roots: ['/etc/nginx'],
    validate: [['nginx', '-t', '-q']],
    unit: { name: 'nginx.service', enabled: true, state: 'running', onChange: 'reload' },
    daemonReload: true,
    probe: role.probes.map(probe),
  };
}
