import type { Stack } from '@perlstack/stack';
import { block, comment, directive, expression, printNginx, type Statement } from '../print/nginx.js';
import { cutAfter } from '../timeouts.js';
import type { Renderer, World } from '../world.js';
import { entryProbes, listen, type Listener, realClient } from './entry.js';
import { limits, limitZones } from './limits.js';
import { healthLocation, nginxService, STATUS_PROBE } from './main.js';
import { buffering, forwardHeaders, proxyTimeouts, staticPaths } from './proxy.js';
import { hsts, servesTls, TLS_FOLDER, tlsFiles, tlsPaths, tlsSettings } from './tls.js';
import { appHosts, keptMarks, RETRIED, upstream } from './upstream.js';

function head({ stack, platform }: World, listener: Listener, names: readonly string[]): Statement[] {
  return [
    ...listen(stack, platform, listener),
    directive('server_name', ...names),
    ...(listener.ports.includes(443) ? tlsSettings(stack) : []),
    ...realClient(stack),
  ];
}

/** How requests go to the app hosts; `host` is the name by which they are told the site is visited. */
function forwarding(stack: Stack, host = expression`$host`): Statement[] {
  return [
    comment('To the app hosts.'),
    ...forwardHeaders(expression`$scheme`, expression`$request_id`, host),
    ...buffering(),
    ...proxyTimeouts(cutAfter(stack).web),
    comment('Only what can safely be repeated goes to another host, and never for long.'),
    directive('proxy_next_upstream', ...RETRIED),
    directive('proxy_next_upstream_tries', 3),
    directive('proxy_next_upstream_timeout', '10s'),
  ];
}

function locations(world: World): Statement[] {
  const pass = directive('proxy_pass', appHosts(world));
  const files = staticPaths(world.stack);
  return [
    ...files.map((path) =>
      block(
        'location',
        [path],
        [
          comment(
            'While a release rolls out, a new page may need a file that this app host does not have yet.',
          ),
          directive('proxy_next_upstream', ...RETRIED, 'http_404'),
          pass,
        ],
      ),
    ),
    ...(files.includes('/') ? [] : [block('location', ['/'], [pass])]),
  ];
}

/** The site itself. */
function site(world: World, listener: Listener): Statement {
  const { stack } = world;
  const names = listener.standard ? [...stack.app.domains, '_'] : stack.app.domains;
  return block(
    'server',
    [],
    [
      ...head(world, listener, names),
      ...(listener.ports.includes(443) ? hsts(stack) : []),
      ...limits(stack),
      ...forwarding(stack),
      healthLocation(),
      ...locations(world),
      comment('For settings of your own; perlstack never writes there.'),
      directive('include', '/etc/nginx/server.d/*.conf'),
    ],
  );
}

/** Sends visitors to HTTPS. 308 and not 301, with which browsers make a GET of a POST and drop what was sent. */
function redirect(world: World): Statement {
  return block(
    'server',
    [],
    [
      ...head(world, { ports: [80], standard: false }, world.stack.app.domains),
      healthLocation(),
      block('location', ['/'], [directive('return', 308, expression`https://$host$request_uri`)]),
    ],
  );
}

/**
 * Answers those who call the site by a name that is not its own, or by an address. Pages are refused: applications
 * make links from the name, in mails too, so whoever may choose the name chooses where they lead. Health is told to
 * anybody: load balancers, gates and monitoring know addresses only.
 */
function stranger(world: World): Statement {
  const { app } = world.stack;
  const ports: Listener['ports'] = servesTls(world.stack) ? [80, 443] : [80];
  const paths = new Set([app.health.path, app.health.release]);
  paths.delete('/nginx_health');
  const pass = directive('proxy_pass', appHosts(world));
  return block(
    'server',
    [],
    [
      ...head(world, { ports, standard: true }, ['_']),
      ...forwarding(world.stack, expression`${app.domains[0] ?? ''}`),
      healthLocation(),
      ...[...paths].map((path) => block('location', ['=', path], [pass])),
      block('location', ['/'], [directive('return', 421)]),
    ],
  );
}

function servers(world: World): Statement[] {
  const { stack } = world;
  if (stack.app.domains.length === 0) return [site(world, { ports: [80], standard: true })];
  if (!servesTls(stack)) return [site(world, { ports: [80], standard: false }), stranger(world)];
  return [site(world, { ports: [443], standard: false }), redirect(world), stranger(world)];
}

const COMPRESSION: Statement[] = [
  comment('Compression is done here, once.'),
  directive('gzip', 'on'),
  directive('gzip_comp_level', 5),
  directive('gzip_min_length', 1_000),
  directive('gzip_proxied', 'any'),
  directive('gzip_vary', 'on'),
  directive(
    'gzip_types',
    'application/javascript',
    'application/json',
    'application/xml',
    'image/svg+xml',
    'text/css',
    'text/javascript',
    'text/plain',
  ),
];

const printed = new WeakMap<World, string>();

/** The same text for all web hosts, with a line for each app host: of a large stack it is the most that is printed. */
function siteText(world: World): string {
  const known = printed.get(world);
  if (known !== undefined) return known;
  const text = printNginx([...limitZones(world.stack), upstream(world), ...servers(world)]);
  printed.set(world, text);
  return text;
}

/** nginx of a web host: takes requests from the internet and spreads them over all app hosts. */
export const webServer: Renderer = (world, host) => {
  const { stack } = world;
  const files = tlsFiles(world);
  return {
    service: nginxService(stack, host, {
      group: null,
      requestId: expression`$request_id`,
      http: COMPRESSION,
      site: siteText(world),
      siteKeeps: keptMarks(world),
      files,
      folders: files.length > 0 ? [TLS_FOLDER] : [],
      // A key that is not used any more is not left lying about.
      removes: files.length > 0 ? [] : tlsPaths(stack),
      probes: [STATUS_PROBE, ...entryProbes(stack)],
    }),
  };
};

/** What the user should know of the way into the site. */
export function webNotes({ stack }: World): string[] {
  if (stack.app.domains.length === 0 || servesTls(stack)) return [];
  return ['web: the site is served without TLS, for everybody on the way to read; set tiers.web.tls.files'];
}
