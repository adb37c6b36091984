import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { messageOf, type Stack, UserError } from '@perlstack/stack';
import { missingCertificate, requireDomains, servesTls } from './nginx/tls.js';
import type { TlsFiles } from './world.js';

const DAY = 86_400_000;

/** A certificate that ends sooner than this, in days, is worth a warning: renewing is a workflow that somebody runs. */
const SOON_DAYS = 14;

/**
 * Looks at the certificate that the web hosts are to serve, before any host gets it: that it can be read, belongs to
 * its key, is valid now and covers every domain. Who signed it is not asked: stacks behind a CDN use private issuers.
 *
 * @param now milliseconds since 1970
 * @returns warnings, such as that it will expire soon; none where no HTTPS is served
 * @throws UserError naming what is wrong and what to hand over instead. The key is in no message.
 */
export function checkCertificate(stack: Stack, tls: TlsFiles | null | undefined, now: number): string[] {
  if (!servesTls(stack)) {
    return tls ? ['tls-certificate: it is not used, because tiers.web.tls.files is not set'] : [];
  }
  requireDomains(stack);
  if (!tls) throw missingCertificate(stack);
  const certificate = chainOf(tls.certificate)[0];
  if (!certificate)
    throw fault('tls-certificate', 'there is no certificate in it; hand over PEM, the own one first');
  if (!certificate.checkPrivateKey(keyOf(tls.privateKey))) {
    throw fault('tls-private-key', `the key does not belong to the certificate of ${namesOf(certificate)}`);
  }
  requireCovered(stack, certificate);
  return validity(certificate, now);
}

const fault = (input: string, what: string): UserError => new UserError(`${input}: ${what}`);

const PEM = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g;

function chainOf(pem: string): X509Certificate[] {
  return (pem.match(PEM) ?? []).map((text, at) => {
    try {
      return new X509Certificate(text);
    } catch (error) {
      throw fault(
        'tls-certificate',
        `certificate ${at + 1} can't be read (${messageOf(error)}); hand over PEM`,
      );
    }
  });
}

function keyOf(pem: string): KeyObject {
  try {
    return createPrivateKey(pem);
  } catch {
    // What OpenSSL says of it is of no help, and nothing of a key belongs into a message.
    throw fault('tls-private-key', "the key can't be read; hand over PEM without a passphrase");
  }
}

const namesOf = ({ subjectAltName, subject }: X509Certificate): string =>
  subjectAltName?.replaceAll('DNS:', '') ?? subject ?? 'no name';

/** As browsers do, a name that stands in the subject alone does not count. */
function requireCovered({ app }: Stack, certificate: X509Certificate): void {
  const uncovered = app.domains.filter(
    (domain) => certificate.checkHost(domain, { subject: 'never' }) === undefined,
  );
  if (uncovered.length === 0) return;
  throw fault(
    'tls-certificate',
    `it is for ${namesOf(certificate)} and does not cover ${uncovered.join(', ')}; have it issued for all of ` +
      'app.domains, or remove those that it is not for',
  );
}

const dayOf = (date: Date): string => date.toISOString().slice(0, 10);

function validity({ validFromDate, validToDate }: X509Certificate, now: number): string[] {
  if (now < validFromDate.getTime()) {
    throw fault('tls-certificate', `it is not valid before ${dayOf(validFromDate)}; hand over one that is`);
  }
  if (now > validToDate.getTime()) {
    throw fault('tls-certificate', `it expired on ${dayOf(validToDate)}; renew it and hand over the new one`);
  }
  const days = Math.floor((validToDate.getTime() - now) / DAY);
  if (days >= SOON_DAYS) return [];
  return [
    `tls-certificate: it expires in ${days} ${days === 1 ? 'day' : 'days'}, on ${dayOf(validToDate)}; renew it`,
  ];
}
