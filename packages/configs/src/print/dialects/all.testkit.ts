import type { Dialect } from './dialect.testkit.js';
import { nginxWords } from './nginx.testkit.js';
import { serviceFile } from './pg-service.testkit.js';
import { redisCommand, redisFile } from './redis.testkit.js';
import {
  environmentFile,
  systemdCommand,
  systemdEnvironment,
  systemdText,
  tmpfiles,
} from './systemd.testkit.js';

/** Every dialect that is printed. One more is one more entry. */
export const DIALECTS: readonly Dialect[] = [
  nginxWords,
  systemdEnvironment,
  systemdCommand,
  systemdText,
  environmentFile,
  tmpfiles,
  serviceFile,
  redisFile,
  redisCommand,
];
