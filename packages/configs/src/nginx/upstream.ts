import { type Host, UserError } from '@perlstack/stack';
import { privateAddressOf, socketAddress } from '../addresses.js';
import type { KeptMarks } from '../bundle.js';
import { APP_PORT } from '../layout.js';
import { block, comment, directive, type Statement } from '../print/nginx.js';
import { workersOf } from '../starman/workers.js';
import type { World } from '../world.js';

/** What is tried again on the next app host. POST and the like are never repeated once they were sent. */
export const RETRIED = ['error', 'timeout', 'http_502'];

/** URL of all app hosts as one. */
export const appHosts = ({ stack }: Pick<World, 'stack'>): string => `http://${groupOf(stack.app.name)}`;

const groupOf = (app: string): string => `${app}_app`;

/** The app hosts of a stack; a host gets requests in proportion to its workers. */
export function upstream(world: World): Statement {
  const { stack } = world;
  const hosts = world.role('app');
  if (hosts.length === 0) {
    throw new UserError(`the inventory of ${stack.stack} has no app host; provision the app tier first`);
  }
  const weights = weightsOf(hosts.map((host) => workersOf(world, host)));
  return block(
    'upstream',
    [groupOf(stack.app.name)],
    [
      comment('Shared by all workers: one count of connections and failures for each host.'),
      directive('zone', groupOf(stack.app.name), '512k'),
      directive('least_conn'),
      comment('A dead host is left out; single failures, and a host that was just restarted, are not.'),
      ...hosts.map((host, at) =>
        directive(
          'server',
          serverOf(host),
          ...(weights[at] === 1 ? [] : [`weight=${weights[at]}`]),
          'max_fails=10',
          'fail_timeout=3s',
        ),
      ),
    ],
  );
}

const serverOf = (host: Host): string => socketAddress(privateAddressOf(host), APP_PORT);

/** Which of them get requests is decided by deploys: on the web hosts, and nowhere else. */
export function keptMarks(world: World): KeptMarks {
  const servers = world.role('app').map((host) => ({ server: serverOf(host), host: host.name }));
  return { kind: 'nginx-upstream-down', servers };
}

/** The smallest whole numbers that stand to each other as these do. */
export function weightsOf(workers: readonly number[]): number[] {
  const common = workers.reduce(greatestCommonDivisor, 0);
  return workers.map((count) => count / common);
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}
