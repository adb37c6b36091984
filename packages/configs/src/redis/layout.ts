import { REDIS_PORT, SENTINEL_PORT } from '../layout.js';

/** Redis's data; its own configuration lies there too, as it writes it anew. */
export const DATA = '/var/lib/redis';
export const SCRIPTS = '/usr/local/lib/perlstack';
export const UNITS = '/etc/systemd/system';
export const SYSCTL = '/etc/sysctl.d/60-perlstack-redis.conf';

/** What one of the two programs has on a host. */
export interface ServerLayout {
  readonly port: number;
  /** Debian's unit. */
  readonly unit: string;
  /** The folder of the rendered files. */
  readonly folder: string;
  /** The file that belongs to the program. */
  readonly liveFile: string;
  /** The script that brings the rendered settings into force, and checks them. */
  readonly script: string;
  /** A line for redis-cli that logs in. */
  readonly passwordFile: string;
}

function layout(name: 'redis' | 'sentinel', unit: string, port: number): ServerLayout {
  const folder = `/etc/perlstack/${name}`;
  return {
    port,
    unit,
    folder,
    liveFile: `${DATA}/${name}.conf`,
    script: `${SCRIPTS}/${name}-settings`,
    passwordFile: `${folder}/auth`,
  };
}

export const REDIS = layout('redis', 'redis-server.service', REDIS_PORT);
export const SENTINEL = layout('sentinel', 'redis-sentinel.service', SENTINEL_PORT);
