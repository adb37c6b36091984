import { CreateBucketCommand } from '@aws-sdk/client-s3';
import { POSTGRESQL_PORT, SOCKET_FOLDER } from '@perlstack/configs';
import { type Ground, LAYOUT } from './ground.js';

/** Debian's pgBackRest on the database host, as one sets it up by hand: its key lies there in a file. */
export interface Peer {
  readonly version: string;
  /** A full backup. */
  backup(): Promise<void>;
  /** Puts the newest backup's files into an empty folder. */
  restore(data: string): Promise<void>;
  /** A shell command that archives `%p`. */
  readonly archive: string;
}

const BUCKET = 'pgbackrest';

/** The same compression and as many processes as the host has processors; small files are bundled, which is faster. */
function configuration({ site, endpoint }: Ground): string {
  const { storage } = site;
  const { hostname, port } = new URL(endpoint);
  const global = {
    'repo1-type': 's3',
    'repo1-path': '/shop',
    'repo1-s3-bucket': BUCKET,
    'repo1-s3-endpoint': hostname,
    'repo1-storage-port': port,
    'repo1-s3-uri-style': 'path',
    'repo1-s3-region': storage.region,
    'repo1-s3-key': storage.accessKeyId,
    'repo1-s3-key-secret': storage.secretAccessKey,
    // It does not look for addresses in certificates.
    'repo1-storage-verify-tls': 'n',
    'repo1-bundle': 'y',
    'repo1-retention-full': '9',
    'process-max': '2',
    'compress-type': 'zst',
    'compress-level': '3',
    // The log goes elsewhere while backups are measured.
    'archive-check': 'n',
    'start-fast': 'y',
    'log-level-console': 'warn',
    'log-level-file': 'off',
  };
  const stanza = {
    'pg1-path': LAYOUT.data,
    'pg1-port': POSTGRESQL_PORT,
    'pg1-socket-path': SOCKET_FOLDER,
  };
  const lines = (settings: object): string[] =>
    Object.entries(settings).map(([name, value]) => `${name}=${String(value)}`);
  return ['[global]', ...lines(global), '[shop]', ...lines(stanza), ''].join('\n');
}

const PGBACKREST = 'pgbackrest --stanza=shop';

export async function installPeer(ground: Ground): Promise<Peer> {
  await ground.site.bucket.ask('making another', (client) =>
    client.send(new CreateBucketCommand({ Bucket: BUCKET })),
  );
  const version = await ground.host(`
DEBIAN_FRONTEND=noninteractive apt-get install --yes --quiet --no-install-recommends pgbackrest > /dev/null
install -m 0600 -o postgres -g postgres /dev/stdin /etc/pgbackrest.conf <<'END'
${configuration(ground)}END
runuser -u postgres -- ${PGBACKREST} stanza-create
pgbackrest version`);
  const run = async (words: string): Promise<void> => {
    await ground.host(`cd / && runuser -u postgres -- ${PGBACKREST} ${words}`);
  };
  return {
    version: /[\d.]+/.exec(version)?.[0] ?? version,
    backup: () => run('--type=full backup'),
    restore: (data) => run(`--pg1-path=${data} --type=none restore`),
    archive: `${PGBACKREST} archive-push "%p"`,
  };
}
