/** The port on which every app host's nginx answers the web tier. */
export const APP_PORT = 5_000;

/** Where an app host's nginx gives the modules that it built to the other app hosts, and to nobody else. */
export const MODULES_PATH = '/.perlstack/modules/';

/** Where PostgreSQL, Redis and its Sentinels listen. */
export const POSTGRESQL_PORT = 5_432;
export const REDIS_PORT = 6_379;
export const SENTINEL_PORT = 26_379;

/** Where nginx answers the host itself: its health and counters, for the monitoring; nothing outside can reach it. */
export const STATUS_ADDRESS = '127.0.0.1:8080';

/** The symbolic links to releases in an application's home: what serves, what is being rolled out, what served before. */
export const RELEASE_LINKS = ['current', 'next', 'previous'] as const;

/** Every path and unit name of an application on its hosts; rendering and deploying meet here. */
export interface AppLayout {
  /** The system user (and group) that runs the application. */
  readonly user: string;
  /** `/srv/shop` */
  readonly home: string;
  /** `/srv/shop/releases` */
  readonly releases: string;
  /** `/srv/shop/modules`: Perl modules that were built on a host, a folder for each state of the dependencies. */
  readonly modules: string;
  /** `/srv/shop/current`, a symbolic link to the active release's folder. */
  readonly current: string;
  /** `/srv/shop/current.sock`, a symbolic link to the active release's socket: what nginx connects to. */
  readonly socketLink: string;
  /** The same of a further Starman unit: `/srv/shop/current-unit2.sock`. */
  readonly socketLinkOf: (unit: number) => string;
  /** `/run/shop`, where each running release has its socket. */
  readonly runDirectory: string;
  /** `/etc/shop/env`: the secrets, for root's eyes only. */
  readonly environmentFile: string;
  /** `/etc/shop/pg_service.conf`: how libpq finds the database; holds no secret. */
  readonly serviceFile: string;
  /** `shop@.service`, the systemd template; its instances are release ids. */
  readonly template: string;
  /** The same of a further Starman unit, `shop-unit2@.service`; it comes and goes with the first one. */
  readonly templateOf: (unit: number) => string;
  /** `/run/shop/unit2`, where the sockets of a further unit are. */
  readonly runDirectoryOf: (unit: number) => string;
  /** Folder of a release. */
  release(id: string): string;
  /** Socket of a release, or of one of its units. */
  socket(id: string, unit?: number): string;
  /** Unit of a release, `shop@42.service`. */
  instance(id: string): string;
}

/** The layout of the application `app`. */
export function appLayout(app: string): AppLayout {
  const home = `/srv/${app}`;
  const releases = `${home}/releases`;
  const runDirectory = `/run/${app}`;
  const runDirectoryOf = (unit: number): string =>
    unit === 1 ? runDirectory : `${runDirectory}/unit${unit}`;
  return {
    user: app,
    home,
    releases,
    modules: `${home}/modules`,
    current: `${home}/current`,
    socketLink: `${home}/current.sock`,
    socketLinkOf: (unit) => (unit === 1 ? `${home}/current.sock` : `${home}/current-unit${unit}.sock`),
    runDirectory,
    environmentFile: `/etc/${app}/env`,
    serviceFile: `/etc/${app}/pg_service.conf`,
    template: `${app}@.service`,
    templateOf: (unit) => (unit === 1 ? `${app}@.service` : `${app}-unit${unit}@.service`),
    runDirectoryOf,
    release: (id) => `${releases}/${id}`,
    socket: (id, unit = 1) => `${runDirectoryOf(unit)}/${id}.sock`,
    instance: (id) => `${app}@${id}.service`,
  };
}

/** Name of an application's database and of the role that owns it: its own, as SQL takes it without quotes. */
export const databaseName = (app: string): string => app.replaceAll('-', '_');

/** Numbers of an application's Starman units on each host: `[1]`, or more where the stack file says so. */
export const unitsOf = ({ units }: { readonly units: number }): number[] =>
  Array.from({ length: units }, (_, at) => at + 1);
