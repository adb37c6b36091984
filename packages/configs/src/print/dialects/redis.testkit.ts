import { printRedis } from '../redis.js';
import { type Dialect, isUnsound, TRIAL_FOLDER } from './dialect.testkit.js';

/** Settings that may be any text, and of which nothing comes as long as Redis neither replicates nor speaks TLS. */
const NAMES = [
  ...['masterauth', 'masteruser', 'syslog-ident', 'tls-cert-file', 'tls-key-file', 'tls-key-file-pass'],
  ...['tls-client-cert-file', 'tls-client-key-file', 'tls-client-key-file-pass', 'tls-dh-params-file'],
  ...['tls-ca-cert-file', 'tls-ca-cert-dir', 'tls-ciphers', 'tls-ciphersuites'],
];

/** As many values as there are such settings in a file. */
function filesOf(values: readonly string[]): string[] {
  const chunks = Array.from({ length: Math.ceil(values.length / NAMES.length) }, (_, at) =>
    values.slice(at * NAMES.length, (at + 1) * NAMES.length),
  );
  return chunks.map((chunk) =>
    printRedis(
      'heading',
      chunk.map((value, at) => [NAMES[at] ?? '', value]),
    ),
  );
}

/** What Redis reads from its file when it starts, as CONFIG GET gives it back. */
export const redisFile: Dialect = {
  name: 'redis.conf',
  packages: ['redis-server'],
  refusable: (value) => value.includes('\0') || isUnsound(value),
  trial: (values) => {
    const files = filesOf(values);
    return {
      files: Object.fromEntries(files.map((file, at) => [`${TRIAL_FOLDER}/redis/${at}`, file])),
      script: `
cd ${TRIAL_FOLDER}
set +e
for at in $(seq 0 ${files.length - 1}); do
  redis-server redis/$at --port 0 --unixsocket $PWD/socket --save '' --daemonize no > log &
  until redis-cli -s socket PING > /dev/null 2>&1; do kill -0 $! 2> /dev/null || { cat log >&2; break; }; sleep 0.01; done
  for name in $(sed -n 's/^\\([a-z-]*\\) .*/\\1/p' redis/$at); do
    echo "=$(redis-cli -s socket CONFIG GET $name | tail -n +2 | head -c -1 | od -An -v -tx1 | tr -d ' \\n')"
  done
  kill $! 2> /dev/null
  wait $!
done
`,
    };
  },
};

/** The same in the words of a command: the scripts on the hosts hand lines of files to redis-cli. */
export const redisCommand: Dialect = {
  name: 'redis-cli',
  packages: ['redis-server', 'redis-tools'],
  refusable: redisFile.refusable,
  trial: (values) => ({
    files: {
      [`${TRIAL_FOLDER}/commands`]: values
        .map((value) => `CONFIG SET ${setting(value)}CONFIG GET masterauth\n`)
        .join(''),
      [`${TRIAL_FOLDER}/wanted`]: values.map(setting).join(''),
    },
    script: `
cd ${TRIAL_FOLDER}
redis-server --port 0 --unixsocket $PWD/socket --save '' --daemonize no > log &
until redis-cli -s socket PING > /dev/null 2>&1; do kill -0 $! || { cat log >&2; exit 1; }; done
# As the server quotes them, they can be compared with the file as text.
redis-cli --no-raw -s socket < commands | sed -n 's/^2) /masterauth /p' > seen
kill $!
cmp seen wanted
perl -MEncode -ne 'chomp; s/^masterauth "(.*)"$/$1/; s/\\\\(x([0-9a-f]{2})|.)/
  defined $2 ? chr hex $2 : {n=>"\\n",r=>"\\r",t=>"\\t",a=>"\\a",b=>"\\b"}->{$1} \\/\\/ $1/ge; print "=", unpack("H*", $_), "\\n"' seen
`,
  }),
};

const setting = (value: string): string =>
  printRedis('heading', [['masterauth', value]]).replace(/^#.*\n/, '');
