import {
  buildsOnHosts,
  hostsOf,
  type Host,
  type Inventory,
  isProvisioned,
  mergeNetworks,
  networkOfOne,
  type Stack,
  subnetOf,
} from '@perlstack/stack';
import { privateAddressOf, socketAddress } from '../addresses.js';
import { APP_PORT, appLayout, MODULES_PATH, RELEASE_LINKS, unitsOf } from '../layout.js';
import {
  block,
  comment,
  directive,
  expression,
  nginxTime,
  printNginx,
  type Statement,
} from '../print/nginx.js';
import { cutAfter } from '../timeouts.js';
import type { Renderer } from '../world.js';
import { healthLocation, nginxService, STATUS_PROBE } from './main.js';
import { buffering, FORWARDED_SCHEME, forwardHeaders, proxyTimeouts, staticPaths } from './proxy.js';

const groupOf = (app: string): string => `${app}_current`;

function upstream({ app }: Stack): Statement {
  const { socketLinkOf } = appLayout(app.name);
  return block(
    'upstream',
    [groupOf(app.name)],
    [
      ...(app.units > 1 ? [directive('zone', groupOf(app.name), '64k'), directive('least_conn')] : []),
      comment('A symbolic link to the socket of the active release: activating another one needs no reload.'),
      ...unitsOf(app).map((unit) => directive('server', `unix:${socketLinkOf(unit)}`, 'max_fails=0')),
    ],
  );
}

/** A unit that is not there, or was lost, is left to the others where there are any; no POST is sent twice. */
const nextUnit = ({ app }: Stack): Statement =>
  directive('proxy_next_upstream', app.units > 1 ? 'error' : 'off');

/**
 * Static files of the release that serves, else of the one that is being rolled out, else of the one before: while a
 * roll-out lasts, and in pages that browsers still show, both old and new names are asked for, on every host.
 */
function files(stack: Stack): Statement[] {
  const { home } = appLayout(stack.app.name);
  const { root, expires } = stack.app.static;
  const tried = RELEASE_LINKS.map((link) => expression`/${link}/${root}$uri`);
  return [
    directive('root', home),
    directive('expires', nginxTime(expires)),
    directive('try_files', ...tried, '@app'),
  ];
}

function locations(stack: Stack): Statement[] {
  const pass = directive('proxy_pass', `http://${groupOf(stack.app.name)}`);
  const paths = staticPaths(stack);
  return [
    ...paths.map((path) => block('location', [path], files(stack))),
    ...(paths.includes('/') ? [] : [block('location', ['/'], [pass])]),
    block('location', ['@app'], [pass]),
  ];
}

/** The networks of the app tier; a client from elsewhere comes through a web host, which says where it is from. */
function builders(stack: Stack, inventory: Inventory): string[] {
  if (isProvisioned(stack, 'app')) return [subnetOf(stack, 'app')];
  return mergeNetworks(hostsOf(inventory, 'app').map((one) => networkOfOne(privateAddressOf(one))));
}

/** What one host built is given to the others from here: no key lies on any of them, and nothing goes through the runner. */
function modulesLocation(stack: Stack, inventory: Inventory): Statement[] {
  if (!buildsOnHosts(stack)) return [];
  return [
    block(
      'location',
      ['^~', MODULES_PATH],
      [
        ...builders(stack, inventory).map((network) => directive('allow', network)),
        directive('deny', 'all'),
        directive('alias', `${appLayout(stack.app.name).modules}/`),
      ],
    ),
  ];
}

function server(stack: Stack, inventory: Inventory, host: Host): Statement {
  const { current } = appLayout(stack.app.name);
  const webHosts = hostsOf(inventory, 'web').map(privateAddressOf);
  return block(
    'server',
    [],
    [
      directive('listen', socketAddress(privateAddressOf(host), APP_PORT)),
      directive('server_name', '_'),
      directive('root', `${current}/${stack.app.static.root}`),
      comment('The web tier has checked the size.'),
      directive('client_max_body_size', 0),
      comment('The web tier names the client.'),
      ...webHosts.map((address) => directive('set_real_ip_from', address)),
      directive('real_ip_header', 'X-Real-IP'),
      comment('To the active release.'),
      ...forwardHeaders(expression`$forwarded_scheme`, expression`$http_x_request_id`),
      ...buffering(),
      ...proxyTimeouts(cutAfter(stack).local),
      nextUnit(stack),
      healthLocation(),
      ...modulesLocation(stack, inventory),
      ...locations(stack),
      comment('For settings of your own; perlstack never writes there.'),
      directive('include', '/etc/nginx/server.d/*.conf'),
    ],
  );
}

/**
 * nginx of an app host: serves the static files of the active release and passes the rest to its socket. Its
 * workers have the application's group, to which the sockets belong.
 */
export const appServer: Renderer = ({ stack, inventory }, host) => ({
  service: nginxService(stack, host, {
    group: appLayout(stack.app.name).user,
    requestId: expression`$http_x_request_id`,
    http: [],
    site: printNginx([FORWARDED_SCHEME, upstream(stack), server(stack, inventory, host)]),
    probes: [STATUS_PROBE, { url: `http://${socketAddress(privateAddressOf(host), APP_PORT)}/nginx_health` }],
  }),
});
