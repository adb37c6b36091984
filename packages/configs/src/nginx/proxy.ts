import type { Stack } from '@perlstack/stack';
import { block, directive, expression, nginxTime, type Expression, type Statement } from '../print/nginx.js';

/** The request's scheme as the layer in front saw it, and nothing else that a client could write there. */
export const FORWARDED_SCHEME: Statement = block(
  'map',
  [expression`$http_x_forwarded_proto`, expression`$forwarded_scheme`],
  [directive('default', expression`$scheme`), directive('http', 'http'), directive('https', 'https')],
);

/**
 * Headers that go to the next layer. The ones about the client replace what it sent itself. `Connection: close`,
 * because a Starman worker serves one connection: an idle kept one would hold a worker, and with HTTP/1.1 newer
 * versions of nginx keep connections unless told not to.
 */
export function forwardHeaders(
  scheme: Expression,
  requestId: Expression,
  host: Expression = expression`$host`,
): Statement[] {
  return [
    directive('proxy_http_version', '1.1'),
    directive('proxy_set_header', 'Connection', 'close'),
    directive('proxy_set_header', 'Host', host),
    directive('proxy_set_header', 'X-Real-IP', expression`$remote_addr`),
    directive('proxy_set_header', 'X-Forwarded-For', expression`$remote_addr`),
    directive('proxy_set_header', 'X-Forwarded-Proto', scheme),
    directive('proxy_set_header', 'X-Forwarded-Host', host),
    directive('proxy_set_header', 'X-Forwarded-Port', ''),
    directive('proxy_set_header', 'X-Request-Id', requestId),
  ];
}

/** Both directions are buffered, so that a slow client never holds a worker. */
export function buffering(): Statement[] {
  return [
    directive('proxy_request_buffering', 'on'),
    directive('proxy_buffering', 'on'),
    directive('proxy_buffer_size', '16k'),
    directive('proxy_buffers', 16, '16k'),
    directive('client_body_buffer_size', '128k'),
  ];
}

/** Limits for connecting, and between two pieces of what is sent or read. */
export function proxyTimeouts(readMilliseconds: number): Statement[] {
  return [
    directive('proxy_connect_timeout', '2s'),
    directive('proxy_send_timeout', '30s'),
    directive('proxy_read_timeout', nginxTime(readMilliseconds)),
  ];
}

/** URL paths of the static files, without slashes at the end; `/` is all. */
export function staticPaths({ app }: Stack): string[] {
  const paths = app.static.paths.map((path) => path.replace(/\/+$/, '') || '/');
  return [...new Set(paths)].sort();
}
