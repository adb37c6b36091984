import { printEnvironmentFile } from '../environment.js';
import { assignment, command, printUnit, type UnitEntry } from '../systemd.js';
import { printTmpfiles } from '../tmpfiles.js';
import { type Dialect, hasControl, hexOf, isUnsound, type Trial, TRIAL_FOLDER } from './dialect.testkit.js';

const UNITS = '/run/systemd/system';
const OUTPUT = `${TRIAL_FOLDER}/output`;
const PROGRAM = `${TRIAL_FOLDER}/program`;

/** Runs a unit and prints what its program wrote. */
function unitTrial(entries: readonly UnitEntry[], program: string, files: Trial['files'] = {}): Trial {
  const service: UnitEntry[] = [['Type', 'oneshot'], ['StandardOutput', `file:${OUTPUT}`], ...entries];
  return {
    files: {
      ...files,
      [PROGRAM]: program,
      [`${UNITS}/dialect.service`]: printUnit([], [{ name: 'Service', entries: service }]),
    },
    script: `
systemctl daemon-reload
systemctl start dialect.service
rm ${UNITS}/dialect.service
systemctl daemon-reload
cat ${OUTPUT}
`,
  };
}

const START: UnitEntry = ['ExecStart', command(['/usr/bin/perl', PROGRAM])];
const hasNul = (value: string): boolean => value.includes('\0');

export const systemdEnvironment: Dialect = {
  name: 'systemd, Environment=',
  packages: [],
  refusable: (value) => hasNul(value) || isUnsound(value),
  trial: (values) =>
    unitTrial(
      [...values.map((value, at): UnitEntry => ['Environment', assignment(`V${at}`, value)]), START],
      hexOf('$ENV{"V$_"}', values.length),
    ),
};

export const systemdCommand: Dialect = {
  name: 'systemd, ExecStart=',
  packages: [],
  refusable: (value) => hasNul(value) || isUnsound(value),
  trial: (values) =>
    unitTrial(
      [['ExecStart', command(['/usr/bin/perl', PROGRAM, ...values])]],
      hexOf('$ARGV[$_]', values.length),
    ),
};

export const environmentFile: Dialect = {
  name: 'systemd, EnvironmentFile=',
  packages: [],
  refusable: (value) => hasNul(value) || isUnsound(value),
  trial: (values) => {
    const variables = Object.fromEntries(values.map((value, at) => [`V${at}`, value]));
    return unitTrial(
      [['EnvironmentFile', `${TRIAL_FOLDER}/env`], START],
      hexOf('$ENV{"V$_"}', values.length),
      { [`${TRIAL_FOLDER}/env`]: printEnvironmentFile(variables) },
    );
  },
};

export const systemdText: Dialect = {
  name: 'systemd, plain text',
  packages: [],
  refusable: (value) =>
    hasControl(value) || isUnsound(value) || value.endsWith('\\') || value.trim() !== value,
  // Without a description the unit's name stands there.
  senseless: (value) => value === '',
  trial: (values) => {
    const units = values.map((value, at): [string, string] => [
      `${UNITS}/dialect-${at}.service`,
      printUnit([], [{ name: 'Unit', entries: [['Description', value]] }]),
    ]);
    return {
      files: Object.fromEntries(units),
      script: `
systemctl daemon-reload
for at in $(seq 0 ${values.length - 1}); do
  systemctl show -p Description --value "dialect-$at.service" | perl -ne 'chomp; print "=", unpack("H*", $_), "\\n"'
done
rm ${UNITS}/dialect-*.service
systemctl daemon-reload
`,
    };
  },
};

export const tmpfiles: Dialect = {
  name: 'tmpfiles.d',
  packages: [],
  refusable: (value) => hasControl(value) || isUnsound(value),
  senseless: (value) => value === '' || value === '.' || value === '..' || value.includes('/'),
  trial: (values) => {
    const folder = { owner: 'root', group: 'root', mode: 0o755 };
    const folders = values.map((value, at) => ({ ...folder, path: `${TRIAL_FOLDER}/paths/${at}/${value}` }));
    return {
      files: { [`${TRIAL_FOLDER}/tmpfiles.conf`]: printTmpfiles('heading', folders) },
      script: `
cd ${TRIAL_FOLDER}
systemd-tmpfiles --create $PWD/tmpfiles.conf
perl -e 'sub entry { opendir my $d, "paths/$_[0]"; join "|", grep !/^\\.\\.?$/, readdir $d } ${hexOf('entry($_)', values.length)}'
`,
    };
  },
};
