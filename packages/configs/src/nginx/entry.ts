import { entrySubnet, type Platform, type Stack } from '@perlstack/stack';
import { comment, directive, type Statement } from '../print/nginx.js';
import type { Probe } from './main.js';
import { servesTls } from './tls.js';

export interface Listener {
  readonly ports: readonly (80 | 443)[];
  /** Answers what names no other server. */
  readonly standard: boolean;
}

const behindBalancer = ({ tiers: { web } }: Pick<Stack, 'tiers'>): boolean => web.entry === 'nodebalancer';

/** Where a server of the web tier listens. Behind a NodeBalancer every connection begins with the client's address. */
export function listen(stack: Stack, { nginx }: Platform, { ports, standard }: Listener): Statement[] {
  const secure = ports.includes(443);
  const http2 = hasHttp2Directive(nginx);
  const optionsOf = (port: number): string[] => [
    ...(standard ? ['default_server'] : []),
    ...(port === 443 ? ['ssl', ...(http2 ? [] : ['http2'])] : []),
    ...(behindBalancer(stack) ? ['proxy_protocol'] : []),
  ];
  return [
    ...ports.flatMap((port) => [
      directive('listen', port, ...optionsOf(port)),
      directive('listen', `[::]:${port}`, ...optionsOf(port)),
    ]),
    ...(secure && http2 ? [directive('http2', 'on')] : []),
  ];
}

/** From nginx 1.25.1 on HTTP/2 is a directive of its own, and a warning as an option of `listen`. */
export function hasHttp2Directive(version: string): boolean {
  const [major = 0, minor = 0, patch = Infinity] = version.split('.').map(Number);
  return major > 1 || minor > 25 || (minor === 25 && patch >= 1);
}

/** Who the client is, behind a NodeBalancer: it names him, and a client that names itself is not believed. */
export function realClient(stack: Stack): Statement[] {
  if (!behindBalancer(stack)) return [];
  return [
    comment('The NodeBalancer names the client; a client that names itself is not believed.'),
    directive('set_real_ip_from', entrySubnet(stack)),
    directive('real_ip_header', 'proxy_protocol'),
  ];
}

/** Asks every port after a reload, the way the entry does: nginx says nothing when it could not open one. */
export function entryProbes(stack: Stack): Probe[] {
  const options = behindBalancer(stack) ? ['--haproxy-protocol'] : [];
  const plain: Probe = { url: 'http://127.0.0.1/nginx_health', options };
  // The certificate is for other names, and was looked at before.
  const secure: Probe = { url: 'https://127.0.0.1/nginx_health', options: [...options, '--insecure'] };
  return servesTls(stack) ? [plain, secure] : [plain];
}
