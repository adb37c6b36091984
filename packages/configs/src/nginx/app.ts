import { hostsOf, type Host, type Inventory, type Stack } from '@perlstack/stack';
import { privateAddressOf, socketAddress } from '../addresses.js';
import { APP_PORT, appLayout } from '../layout.js';
import { block, comment, directive, expression, nginxTime, type Statement } from '../print/nginx.js';
import { cutAfter } from '../timeouts.js';
import type { Renderer } from '../world.js';
import { healthLocation, nginxService } from './main.js';
import { buffering, FORWARDED_SCHEME, forwardHeaders, proxyTimeouts, staticPaths } from './proxy.js';

const groupOf = (stack: Stack): string => `${stack.app.name}_current`;

function upstream(stack: Stack): Statement {
  return block(
    'upstream',
    [groupOf(stack)],
    [
      comment('A symbolic link to the socket of the active release: activating another one needs no reload.'),
      directive('server', `unix:${appLayout(stack.app.name).socketLink}`, 'max_fails=0'),
    ],
  );
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
          directive('expires', nginxTime(stack.app.static.expires)),
          directive('try_files', expression`$uri`, '@app'),
        ],
      ),
    ),
    ...(files.includes('/') ? [] : [block('location', ['/'], [pass])]),
    block('location', ['@app'], [pass]),
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
      directive('proxy_next_upstream', 'off'),
      healthLocation(),
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
    site: [FORWARDED_SCHEME, upstream(stack), server(stack, inventory, host)],
    probes: [`http://${socketAddress(privateAddressOf(host), APP_PORT)}/nginx_health`],
  }),
});
