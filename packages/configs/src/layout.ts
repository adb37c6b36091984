/** The port on which every app host's nginx answers the web tier. */
export const APP_PORT = 5_000;

/** Where nginx answers the host itself: its counters, for the monitoring; nothing outside can reach it. */
export const STATUS_ADDRESS = '127.0.0.1:8080';

/** Every path and unit name of an application on its hosts; rendering and deploying meet here. */
export interface AppLayout {
  /** The system user (and group) that runs the application. */
  readonly user: string;
  /** `/srv/shop` */
  readonly home: string;
  /** `/srv/shop/releases` */
  readonly releases: string;
  /** `/srv/shop/current`, a symbolic link to the active release's folder. */
  readonly current: string;
  /** `/srv/shop/current.sock`, a symbolic link to the active release's socket: what nginx connects to. */
  readonly socketLink: string;
  /** `/run/shop`, where each running release has its socket. */
  readonly runDirectory: string;
  /** `/etc/shop/env`: the secrets, for root's eyes only. */
  readonly environmentFile: string;
  /** `shop@.service`, the systemd template; its instances are release ids. */
  readonly template: string;
  /** Folder of a release. */
  release(id: string): string;
  /** Socket of a release. */
  socket(id: string): string;
  /** Unit of a release, `shop@42.service`. */
  instance(id: string): string;
}

/** The layout of the application `app`. */
export function appLayout(app: string): AppLayout {
  const home = `/srv/${app}`;
  const releases = `${home}/releases`;
  const runDirectory = `/run/${app}`;
  return {
    user: app,
    home,
    releases,
    current: `${home}/current`,
    socketLink: `${home}/current.sock`,
    runDirectory,
    environmentFile: `/etc/${app}/env`,
    template: `${app}@.service`,
    release: (id) => `${releases}/${id}`,
    socket: (id) => `${runDirectory}/${id}.sock`,
    instance: (id) => `${app}@${id}.service`,
  };
}
