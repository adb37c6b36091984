import { UserError, type Stack } from '@perlstack/stack';
import type { ManagedFile } from '../bundle.js';
import { textFile } from '../files.js';
import { comment, directive, expression, type Statement } from '../print/nginx.js';
import type { World } from '../world.js';

export const TLS_FOLDER = '/etc/nginx/tls';

const certificateFile = (app: string): string => `${TLS_FOLDER}/${app}.crt`;
const keyFile = (app: string): string => `${TLS_FOLDER}/${app}.key`;

/** Where certificate and key stand on the web hosts. */
export const tlsPaths = ({ app }: Stack): string[] => [certificateFile(app.name), keyFile(app.name)];

/** Whether the web hosts serve HTTPS. */
export const servesTls = ({ tiers: { web } }: Pick<Stack, 'tiers'>): boolean => web.tls?.files ?? false;

/**
 * Certificate and key as files; none without TLS.
 *
 * @throws UserError when there is no certificate, no name for it, or HSTS without TLS.
 */
export function tlsFiles({ stack, tls }: Pick<World, 'stack' | 'tls'>): ManagedFile[] {
  if (!servesTls(stack)) {
    if (!stack.tiers.web.tls?.hsts) return [];
    throw new UserError('tiers.web.tls.hsts: HSTS needs HTTPS; set "files: true" beside it, or remove it');
  }
  requireDomains(stack);
  if (!tls) throw missingCertificate(stack);
  return [
    textFile(certificateFile(stack.app.name), tls.certificate),
    { ...textFile(keyFile(stack.app.name), tls.privateKey), mode: 0o600, secret: true },
  ];
}

export function requireDomains({ app }: Stack): void {
  if (app.domains.length > 0) return;
  throw new UserError(
    'tiers.web.tls.files: HTTPS needs a name; set app.domains to those that the certificate covers',
  );
}

export function missingCertificate({ app }: Stack): UserError {
  return new UserError(
    `tiers.web.tls.files: HTTPS is to be served for ${app.domains.join(', ')}, but no certificate was handed over; ` +
      'give tls-certificate (with its chain) and tls-private-key as PEM, or remove tls.files',
  );
}

/**
 * TLS 1.3, and 1.2 with forward secrecy and authenticated encryption alone: Mozilla's intermediate profile without its
 * two finite-field ciphers, which no client needs that could not use the others. All that remain are good, so the
 * client, who knows its hardware, chooses. No stapling: the largest issuer answers OCSP no longer.
 */
const CIPHERS = [
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-RSA-CHACHA20-POLY1305',
];

/** Directives of every server block that speaks TLS. */
export function tlsSettings({ app }: Stack): Statement[] {
  return [
    directive('ssl_certificate', certificateFile(app.name)),
    directive('ssl_certificate_key', keyFile(app.name)),
    directive('ssl_protocols', 'TLSv1.2', 'TLSv1.3'),
    directive('ssl_ciphers', CIPHERS.join(':')),
    directive('ssl_prefer_server_ciphers', 'off'),
    comment(
      'Sessions are kept here; tickets would need a key that changes and is the same on all web hosts.',
    ),
    directive('ssl_session_cache', 'shared:perlstack_tls:10m'),
    directive('ssl_session_timeout', '1d'),
    directive('ssl_session_tickets', 'off'),
  ];
}

/** Tells browsers to come back by HTTPS alone, in our words where the application has some of its own. */
export function hsts({ tiers: { web } }: Stack): Statement[] {
  if (!web.tls?.hsts) return [];
  const age = expression`max-age=${Math.floor(web.tls.hsts / 1_000)}`;
  return [
    comment('From now on browsers use HTTPS alone.'),
    directive('add_header', 'Strict-Transport-Security', age, 'always'),
    directive('proxy_hide_header', 'Strict-Transport-Security'),
  ];
}
