import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { OBJECT_STORAGE_ADDRESS } from '@perlstack/local-cloud';

const run = promisify(execFile);

/** What the gateway is called by those that `trustScript` told: pgBackRest looks for no address in a certificate. */
export const GATEWAY_NAME = 'objects.test';

export interface GatewayCertificate {
  readonly file: string;
  readonly text: string;
  /** With its key. */
  readonly pem: string;
}

/** A certificate of the local cloud's object storage that vouches for itself. */
export async function makeCertificate(folder: string): Promise<GatewayCertificate> {
  const [key, file] = [path.join(folder, 'gateway.key'), path.join(folder, 'gateway.crt')];
  await run('openssl', [
    ...['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '30', '-subj', '/CN=gateway'],
    ...['-addext', `subjectAltName=IP:${OBJECT_STORAGE_ADDRESS},DNS:${GATEWAY_NAME}`],
    ...['-keyout', key, '-out', file],
  ]);
  const text = await readFile(file, 'utf8');
  return { file, text, pem: `${await readFile(key, 'utf8')}${text}` };
}

/** A script for root by which a host knows the gateway's name and trusts its certificate. */
export const trustScript = (certificate: string): string => `
cat > /usr/local/share/ca-certificates/gateway.crt <<'END'
${certificate}END
update-ca-certificates > /dev/null 2>&1
echo '${OBJECT_STORAGE_ADDRESS} ${GATEWAY_NAME}' >> /etc/hosts
`;
