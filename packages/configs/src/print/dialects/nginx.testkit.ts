import { block, directive, printNginx } from '../nginx.js';
import { type Dialect, hasControl, hexOf, isUnsound, TRIAL_FOLDER } from './dialect.testkit.js';

const SOCKET = `${TRIAL_FOLDER}/nginx.sock`;

/** Words of a directive, as answers of an nginx of its own behind a socket. */
export const nginxWords: Dialect = {
  name: 'nginx',
  packages: ['nginx', 'curl'],
  refusable: (value) => value.includes('$') || hasControl(value) || isUnsound(value),
  trial: (values) => ({
    files: { [`${TRIAL_FOLDER}/nginx.conf`]: configuration(values) },
    script: `
cd ${TRIAL_FOLDER}
mkdir answers
nginx -c $PWD/nginx.conf
curl -sS --unix-socket ${SOCKET} -o 'answers/#1' 'http://localhost/[0-${values.length - 1}]'
nginx -c $PWD/nginx.conf -s stop
perl -e 'sub answer { local (@ARGV, $/) = "answers/$_[0]"; <> } ${hexOf('answer($_)', values.length)}'
`,
  }),
};

function configuration(values: readonly string[]): string {
  const locations = values.map((value, at) =>
    block('location', ['=', `/${at}`], [directive('return', 200, value)]),
  );
  const server = block('server', [], [directive('listen', `unix:${SOCKET}`), ...locations]);
  return printNginx([
    directive('pid', `${TRIAL_FOLDER}/nginx.pid`),
    directive('error_log', 'stderr'),
    block('events', [], []),
    block('http', [], [directive('access_log', 'off'), server]),
  ]);
}
