import type { Host, Stack } from '@perlstack/stack';
import type { ManagedDirectory, ServiceConfig, SystemUser } from '../bundle.js';
import { headingOf, textFile } from '../files.js';
import { appLayout } from '../layout.js';
import { printEnvironmentFile } from '../print/environment.js';
import { printTmpfiles } from '../print/tmpfiles.js';
import type { Renderer } from '../world.js';
import { starmanUnit } from './unit.js';

const UNITS = '/etc/systemd/system';

/** The account that runs the application. */
function appUser({ app }: Stack): SystemUser {
  return { name: app.name, home: `/var/lib/${app.name}`, shell: '/usr/sbin/nologin', groups: [] };
}

const rootOwned = (path: string): ManagedDirectory => ({ path, owner: 'root', group: 'root', mode: 0o755 });

function packages({ app }: Stack): string[] {
  const { with: tool, on } = app.build;
  const building = tool === 'none' || on === 'runner' ? [] : ['build-essential', 'carton', 'cpanminus'];
  return [...new Set(['starman', 'curl', ...building, ...app.packages])].sort();
}

/**
 * Starman as a service of an app host: everything but a running release. Which instances run is the deploy's
 * business, so no unit is started or restarted here.
 */
function starmanService(
  stack: Stack,
  host: Host,
  secrets: Readonly<Record<string, string>>,
): ServiceConfig {
  const { home, releases, runDirectory, environmentFile, template, user } = appLayout(stack.app.name);
  const run: ManagedDirectory = { path: runDirectory, owner: user, group: user, mode: 0o755 };
  return {
    name: 'starman',
    packages: packages(stack),
    directories: [rootOwned(home), rootOwned(releases), rootOwned(`/etc/${stack.app.name}`), run],
    files: [
      textFile(`/etc/tmpfiles.d/${stack.app.name}.conf`, printTmpfiles(headingOf(stack, host), [run])),
      {
        ...textFile(environmentFile, printEnvironmentFile(secrets)),
        mode: 0o600,
        secret: true,
      },
      textFile(`${UNITS}/${template}`, starmanUnit(stack, host)),
    ],
    removes: [],
    roots: [UNITS],
    validate: [['systemd-analyze', 'verify', `${UNITS}/${template}`]],
    unit: null,
    daemonReload: true,
    probe: [],
  };
}

export const starman: Renderer = ({ stack, secrets }, host) => ({
  users: [appUser(stack)],
  service: starmanService(stack, host, secrets),
});
