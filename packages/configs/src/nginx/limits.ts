import type { Stack } from '@perlstack/stack';
import { comment, directive, expression, type Statement } from '../print/nginx.js';

const RATE_ZONE = 'perlstack_rate';
const CONNECTION_ZONE = 'perlstack_connections';

/** What is remembered of clients: 16 bytes of address and some state, about 80,000 clients; the oldest are forgotten. */
const ZONE_SIZE = '10m';

/** What must stand outside the server blocks: where requests and connections of a client address are counted. */
export function limitZones({ app: { limits } }: Stack): Statement[] {
  const client = expression`$binary_remote_addr`;
  return [
    ...(limits.rate === undefined
      ? []
      : [directive('limit_req_zone', client, `zone=${RATE_ZONE}:${ZONE_SIZE}`, `rate=${limits.rate}r/s`)]),
    ...(limits.connections === undefined
      ? []
      : [directive('limit_conn_zone', client, `zone=${CONNECTION_ZONE}:${ZONE_SIZE}`)]),
  ];
}

/** The limits of a server block. What is above them is answered with 429 at once: nothing waits inside nginx. */
export function limits({ app: { limits } }: Stack): Statement[] {
  const { rate, connections } = limits;
  const burst = limits.burst ?? rate ?? 0;
  return [
    directive('client_max_body_size', nginxSize(limits.body)),
    ...(rate === undefined && connections === undefined
      ? []
      : [comment('Of one client address; above it, 429.')]),
    ...(rate === undefined
      ? []
      : [
          directive('limit_req', `zone=${RATE_ZONE}`, ...(burst > 0 ? [`burst=${burst}`, 'nodelay'] : [])),
          directive('limit_req_status', 429),
          directive('limit_req_log_level', 'warn'),
        ]),
    ...(connections === undefined
      ? []
      : [
          directive('limit_conn', CONNECTION_ZONE, connections),
          directive('limit_conn_status', 429),
          directive('limit_conn_log_level', 'warn'),
        ]),
  ];
}

/** Mebibytes as nginx writes a size: `20m`, `512k`. */
export function nginxSize(mebibytes: number): string {
  return Number.isInteger(mebibytes) ? `${mebibytes}m` : `${Math.ceil(mebibytes * 1_024)}k`;
}
