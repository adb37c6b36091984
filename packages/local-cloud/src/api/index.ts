import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { HostDriver } from '../driver.js';
import { RealClock, type Clock } from './clock.js';
import { Cloud } from './cloud.js';
import { ApiFaults, type ApiFault } from './faults.js';
import { RateLimiter, scaledLimits, type Limit, type LimitClass } from './rate-limit.js';
import { createApiServer, type LoggedRequest } from './server.js';
import { FULL_TOKEN, type Token } from './tokens.js';

export { ManualClock, RealClock, type Clock } from './clock.js';
export { Cloud } from './cloud.js';
export { ApiFaults, type ApiFaultEffect, type ApiFault } from './faults.js';
export { MemoryDriver, type MemoryHost } from './memory-driver.js';
export { LIMITS, type Limit, type LimitClass } from './rate-limit.js';
export type { LoggedRequest } from './server.js';
export { FULL_TOKEN, type Token } from './tokens.js';

export interface ApiOptions {
  /** What stands for the machines; `MemoryDriver` for none. */
  readonly driver: HostDriver;
  /** The tokens that are let in; `FULL_TOKEN` if absent. */
  readonly tokens?: readonly Token[];
  /** 1 is as slow as Linode (60 to 105 s from create to running), 0 waits for nothing; 0 if absent. */
  readonly timeScale?: number;
  /** Instead of `timeScale`: a clock that a test moves by hand. */
  readonly clock?: Clock;
  /** The address to listen on; 127.0.0.1 if absent. */
  readonly host?: string;
  /** The port to listen on; any free one if absent. */
  readonly port?: number;
  /** Instead of an address and a port: a Unix socket to listen on. */
  readonly path?: string;
  readonly faults?: readonly ApiFault[];
  /** Limits that differ from Linode's; windows given here are not scaled. */
  readonly rateLimits?: Partial<Record<LimitClass, Limit>>;
}

/** A running API. */
export interface LinodeApi {
  /** `http://127.0.0.1:4242`, or `unix:` and the socket; the paths below it begin with `/v4` or `/v4beta`. */
  readonly url: string;
  /** Every call so far, oldest first. */
  readonly requests: LoggedRequest[];
  /** The faults in force; change them at any time. */
  readonly faults: ApiFaults;
  /** Everything that the account owns. */
  readonly state: Cloud;
  /** Ends the server and all that its driver made. */
  close(): Promise<void>;
}

/** Starts an HTTP server that answers as api.linode.com does. */
export async function startApi(options: ApiOptions): Promise<LinodeApi> {
  const clock = options.clock ?? new RealClock(options.timeScale ?? 0);
  const faults = new ApiFaults(options.faults);
  const state = new Cloud(clock, options.driver, faults);
  const limiter = new RateLimiter(scaledLimits(rateScale(options, clock), options.rateLimits));
  const requests: LoggedRequest[] = [];
  const tokens = options.tokens ?? [FULL_TOKEN];
  const server = createApiServer({ cloud: state, tokens, limiter, faults, log: requests });
  const url = await listen(server, options);
  const close = async (): Promise<void> => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    await state.close();
  };
  return { url, requests, faults, state, close };
}

/** A clock that is moved by hand says nothing about how fast calls come: then nothing is limited. */
function rateScale(options: ApiOptions, clock: Clock): (realMs: number) => number {
  return options.clock === undefined ? (realMs) => clock.scaled(realMs) : () => 0;
}

async function listen(server: Server, { path, host = '127.0.0.1', port = 0 }: ApiOptions): Promise<string> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    if (path === undefined) server.listen(port, host, resolve);
    else server.listen(path, resolve);
  });
  return path === undefined ? `http://${host}:${(server.address() as AddressInfo).port}` : `unix:${path}`;
}
