import { hostsOf, UserError, type Inventory, type Stack } from '@perlstack/stack';
import { privateAddressOf, socketAddress } from '../addresses.js';
import { APP_PORT } from '../layout.js';
import { block, comment, directive, expression, type Statement } from '../print/nginx.js';
import { cutAfter } from '../timeouts.js';
import type { Renderer } from '../world.js';
import { healthLocation, nginxService } from './main.js';
import { buffering, FORWARDED_SCHEME, forwardHeaders, proxyTimeouts, staticPaths } from './proxy.js';

/** NodeBalancers reach hosts outside a VPC from this network. */
const NODEBALANCERS = '192.168.255.0/24';

/** What is tried again on the next app host. POST and the like are never repeated once they were sent. */
const RETRIED = ['error', 'timeout', 'http_502'];

const groupOf = (stack: Stack): string => `${stack.app.name}_app`;

function upstream(stack: Stack, inventory: Inventory): Statement {
  const hosts = hostsOf(inventory, 'app');
  if (hosts.length === 0) {
    throw new UserError(`the inventory of ${stack.stack} has no app host; provision the app tier first`);
  }
  return block(
    'upstream',
    [groupOf(stack)],
    [
      comment('Shared by all workers: one count of connections and failures for each host.'),
      directive('zone', groupOf(stack), '512k'),
      directive('least_conn'),
      comment('A dead host is left out; single failures, and a host that was just restarted, are not.'),
      ...hosts.map((host) =>
        directive(
          'server',
          socketAddress(privateAddressOf(host), APP_PORT),
          'max_fails=10',
          'fail_timeout=3s',
        ),
      ),
    ],
  );
}

/** Behind a NodeBalancer the client's address and scheme stand in the headers that it sets. */
function realClient(stack: Stack): Statement[] {
  if (stack.tiers.web.entry !== 'nodebalancer') return [];
  return [
    comment('The NodeBalancer names the client; a client that names itself is not believed.'),
    ...[NODEBALANCERS, stack.network.vpc].map((network) => directive('set_real_ip_from', network)),
    directive('real_ip_header', 'X-Forwarded-For'),
    directive('real_ip_recursive', 'on'),
  ];
}

function locations(stack: Stack): Statement[] {
  const pass = directive('proxy_pass', `http://${groupOf(stack)}`);
  const files = staticPaths(stack);
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

function server(stack: Stack): Statement {
  const scheme =
    stack.tiers.web.entry === 'nodebalancer' ? expression`$forwarded_scheme` : expression`$scheme`;
  return block(
    'server',
    [],
    [
      directive('listen', 80, 'default_server'),
      directive('listen', '[::]:80', 'default_server'),
      directive('server_name', ...stack.app.domains, '_'),
      ...realClient(stack),
      comment('To the app hosts.'),
      ...forwardHeaders(scheme, expression`$request_id`),
      ...buffering(),
      ...proxyTimeouts(cutAfter(stack).web),
      comment('Only what can safely be repeated goes to another host, and never for long.'),
      directive('proxy_next_upstream', ...RETRIED),
      directive('proxy_next_upstream_tries', 3),
      directive('proxy_next_upstream_timeout', '10s'),
      healthLocation(),
      ...locations(stack),
      comment('For settings of your own; perlstack never writes there.'),
      directive('include', '/etc/nginx/server.d/*.conf'),
    ],
  );
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

/** nginx of a web host: takes requests from the internet and spreads them over all app hosts. */
export const webServer: Renderer = ({ stack, inventory }, host) => {
  const map = stack.tiers.web.entry === 'nodebalancer' ? [FORWARDED_SCHEME] : [];
  return {
    service: nginxService(stack, host, {
      group: null,
      requestId: expression`$request_id`,
      http: [directive('client_max_body_size', '20m'), ...COMPRESSION],
      site: [...map, upstream(stack, inventory), server(stack)],
      probes: ['http://127.0.0.1/nginx_health'],
    }),
  };
};
