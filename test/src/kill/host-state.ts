import type { HostCloud } from '@perlstack/local-cloud';

/** What a host looks like to somebody at its console. */
export interface AppHostState {
  /** Where the links lead: of the release, and of the socket that gets the requests. */
  readonly current: string;
  readonly socket: string;
  /** Units of instances that systemd knows, and those that start with the host. */
  readonly units: readonly string[];
  readonly enabled: readonly string[];
  /** Unfinished uploads and removals. */
  readonly partial: readonly string[];
  readonly lock: readonly string[];
  /** It refuses connections to the application. */
  readonly refusing: readonly string[];
  /** Staged files and backups of converge. */
  readonly staged: readonly string[];
}

/** How an app host has to look when a release was rolled out and nothing is under way. */
export function restingAppHost(release: string): AppHostState {
  return {
    current: `releases/${release}`,
    socket: `/run/shop/${release}.sock`,
    units: [`shop@${release}.service`],
    enabled: [`shop@${release}.service`],
    partial: [],
    lock: [],
    refusing: [],
    staged: [],
  };
}

export interface WebHostState {
  /** The release that answers a visitor. */
  readonly version: string;
  /** Lines of upstreams that are out of service. */
  readonly drained: readonly string[];
  readonly staged: readonly string[];
}

export const restingWebHost = (release: string): WebHostState => ({
  version: release,
  drained: [],
  staged: [],
});

const STAGED = `cd /var/lib/perlstack/converge 2>/dev/null && ls -d stage backup 2>/dev/null`;

const APP_QUESTIONS: Record<keyof AppHostState, string> = {
  current: 'readlink /srv/shop/current',
  socket: 'readlink /srv/shop/current.sock',
  units: `systemctl list-units --all --plain --no-legend --full 'shop@*' | cut -d ' ' -f 1`,
  enabled: `cd /etc/systemd/system/multi-user.target.wants && ls -d shop@*`,
  partial: `ls -A /srv/shop/releases | grep '^[.]'`,
  lock: 'ls /var/lib/perlstack/shop | grep lock',
  refusing: 'nft list tables inet | grep perlstack_out',
  staged: STAGED,
};

const WEB_QUESTIONS: Record<keyof WebHostState, string> = {
  version: 'curl -s http://127.0.0.1/version',
  drained: `grep -rhE '^ *server .* down;' /etc/nginx`,
  staged: STAGED,
};

export async function lookAtAppHost(cloud: HostCloud, host: string): Promise<AppHostState> {
  const { current, socket, ...lists } = await ask(cloud, host, APP_QUESTIONS);
  return { ...lists, current: current.join(), socket: socket.join() };
}

export async function lookAtWebHost(cloud: HostCloud, host: string): Promise<WebHostState> {
  const { version, ...lists } = await ask(cloud, host, WEB_QUESTIONS);
  return { ...lists, version: version.join() };
}

/** Asks everything at once; the lines of each answer. */
async function ask<K extends string>(
  cloud: HostCloud,
  host: string,
  questions: Record<K, string>,
): Promise<Record<K, string[]>> {
  const names = Object.keys(questions) as K[];
  const script = names.map((name) => `( ${questions[name]} ) 2>/dev/null | sed 's/^/${name} /'`).join('\n');
  const lines = (await cloud.exec(host, ['sh', '-c', script])).stdout.split('\n');
  const answerTo = (name: K): string[] =>
    lines.filter((line) => line.startsWith(`${name} `)).map((line) => line.slice(name.length + 1));
  return Object.fromEntries(names.map((name) => [name, answerTo(name)])) as Record<K, string[]>;
}
