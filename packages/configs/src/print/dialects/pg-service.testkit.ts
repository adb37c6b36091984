import { printServiceFile } from '../pg-service.js';
import { type Dialect, hasControl, hexOf, isUnsound, TRIAL_FOLDER } from './dialect.testkit.js';

const folder = `${TRIAL_FOLDER}/services`;

/** A value that libpq does not know it repeats in its complaint. */
const COMPLAINT = String.raw`sub value {
  $ENV{PGSERVICEFILE} = "${folder}/$_[0]";
  my $said = qx($ENV{PSQL} 2>&1);
  $said =~ /invalid target_session_attrs value: "(.*)"\n\z/s ? $1 : "libpq said: $said";
}`;

export const serviceFile: Dialect = {
  name: 'pg_service.conf',
  packages: ['postgresql-client'],
  refusable: (value) => hasControl(value) || isUnsound(value) || /\s$/.test(value),
  trial: (values) => ({
    files: Object.fromEntries(
      values.map((value, at) => [
        `${folder}/${at}`,
        printServiceFile('heading', 'trial', { target_session_attrs: value }),
      ]),
    ),
    script: `
export PSQL=$(echo /usr/lib/postgresql/*/bin/psql) PGSERVICE=trial LC_ALL=C.UTF-8
perl -e '${COMPLAINT} ${hexOf('value($_)', values.length)}'
`,
  }),
};
