import { CreateBucketCommand } from '@aws-sdk/client-s3';
import {
  PGBACKREST as PGBACKREST_FILES,
  pgbackrestCommand,
  POSTGRESQL_PORT,
  SOCKET_FOLDER,
} from '@perlstack/configs';
import { GATEWAY_NAME } from '../../gateway-certificate.js';
import { drained, setCommand } from './archive-command.js';
import { type Ground, LAYOUT, STACK, type Usage } from './ground.js';

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

/** Not the configuration that ours lays. */
const CONFIG = '/etc/pgbackrest.conf';
const PGBACKREST = `pgbackrest --config=${CONFIG} --stanza=shop`;

export async function installPeer(ground: Ground): Promise<Peer> {
  await ground.site.bucket.ask('making another', (client) =>
    client.send(new CreateBucketCommand({ Bucket: BUCKET })),
  );
  const version = await ground.host(`
DEBIAN_FRONTEND=noninteractive apt-get install --yes --quiet --no-install-recommends pgbackrest > /dev/null
install -m 0600 -o postgres -g postgres /dev/stdin ${CONFIG} <<'END'
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

/** The same program with the configuration that apply-configs lays, and the whole action as a workflow starts it. */
export interface Driven {
  /** A full backup. */
  backup(): Promise<Usage>;
}

const DRIVEN_STACK = STACK.replace(
  'bucket: shop-backups,',
  `bucket: shop-backups, engine: pgbackrest, endpoint: 'https://${GATEWAY_NAME}:7443',`,
);

/** Needs the packages that `installPeer` installs. */
export async function drivePgbackrest(ground: Ground): Promise<Driven> {
  const { site, runner, host } = ground;
  const { accessKeyId, secretAccessKey } = site.storage;
  const secrets = { BACKUP_ACCESS_KEY_ID: accessKeyId, BACKUP_SECRET_ACCESS_KEY: secretAccessKey };
  const bundle = site.bundle(DRIVEN_STACK, secrets);
  const paths: string[] = Object.values(PGBACKREST_FILES);
  const files = bundle.hosts
    .flatMap(({ services }) => services.flatMap((service) => service.files))
    .filter(({ path }) => paths.includes(path));
  for (const { path, content, mode, owner } of files)
    await host(`install -D -m ${mode.toString(8)} -o ${owner} /dev/stdin ${path} <<'END'\n${content}END`);
  await host('cd / && runuser -u postgres -- pgbackrest --stanza=shop stanza-create');
  return {
    backup: async () => {
      await setCommand(ground, pgbackrestCommand('shop', 'archive-push "%p"'));
      await drained(ground);
      const none = { endpoint: '', 'access-key-id': '', 'secret-access-key': '' };
      const options = { prefix: runner.on([]), env: runner.env };
      const step = site.step('pg-backup-to-object-storage', none, options);
      step.write('perlstack.yml', DRIVEN_STACK);
      try {
        const { result, ...usage } = await ground.measure(() => step.run());
        if (result.code !== 0) throw new Error(`the backup failed: ${result.output.slice(-2_000)}`);
        return usage;
      } finally {
        step.remove();
        await setCommand(ground, null);
        await drained(ground);
      }
    },
  };
}
