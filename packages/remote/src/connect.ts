import { Readable } from 'node:stream';
import type { Inventory } from '@perlstack/stack';
import { RemoteError } from './errors.js';
import { type Ended, exec } from './exec.js';
import { type Credentials, describeKey, readPrivateKey } from './keys.js';
import { Pool } from './pool.js';
import type { Session } from './session.js';
import type { Remote, RemoteOptions, RunOptions, RunResult } from './remote.js';
import { uploadCommand } from './upload.js';

const MAX_OUTPUT_BYTES = 16 * 1024 * 1024;
/** As long as Ansible gives one. */
const HANDSHAKE_TIMEOUT_MS = 10_000;

/**
 * The hosts of an inventory over SSH. Nothing is connected before it is needed.
 *
 * @throws UserError when the private key is none, or a host's `ssh.via` leads nowhere.
 */
export function connect(inventory: Inventory, credentials: Credentials, options: RemoteOptions = {}): Remote {
  const pool = new Pool(inventory, readPrivateKey(credentials), {
    waitMs: options.waitMs ?? 0,
    handshakeTimeoutMs: options.handshakeTimeoutMs ?? HANDSHAKE_TIMEOUT_MS,
    onRetry: options.onRetry ?? (() => undefined),
  });
  const maxOutputBytes = options.maxOutputBytes ?? MAX_OUTPUT_BYTES;
  let commands = 0;

  const run: Remote['run'] = async (host, argv, runOptions = {}) => {
    const command = runOptions.name ?? argv[0] ?? 'command';
    const start = (begin: () => void): Promise<Ended> =>
      pool.use(host, async (session) => {
        begin();
        commands++;
        return exec(session, argv, runOptions, maxOutputBytes);
      });
    return resultOf(host, command, await cancellable(host, command, runOptions, start), runOptions);
  };

  const script: Remote['script'] = (host, text, args = [], runOptions = {}) => {
    const name = runOptions.name ?? 'script';
    return run(host, ['sh', '-c', text, name, ...args], { ...runOptions, name });
  };

  return {
    run,
    script,
    upload: async (host, target, content, uploadOptions = {}) => {
      const { script: text, args, input, options: own } = uploadCommand(target, content);
      await script(host, text, args, { ...uploadOptions, ...own, input });
    },
    warm: (hosts, { sudo = false } = {}) => {
      const ready = async ({ standby }: Session): Promise<void> => standby.prepare(sudo);
      for (const host of hosts) pool.use(host, ready).catch(() => undefined);
    },
    reach: async (host, reachOptions = {}) => {
      const options = { ...reachOptions, timeoutMs: HANDSHAKE_TIMEOUT_MS };
      const ended = await pool.useNew(host, async (session) => {
        await pool.assertForwards(host, session);
        // Its connection ends with it: nothing is to wait there.
        return exec({ client: session.client }, ['sh', '-c', ':'], options, maxOutputBytes);
      });
      resultOf(host, 'a new login', ended, options);
    },
    hostKeys: async (host) => {
      const { stdout } = await script(host, 'cat /etc/ssh/ssh_host_*_key.pub', [], {
        name: 'reading the host keys',
      });
      return stdout.split('\n').filter(Boolean).map(describeKey);
    },
    counters: () => ({ connections: pool.connections, retries: pool.retries, commands }),
    close: () => pool.close(),
  };
}

/** Lets a cancel take effect at once while the command has not begun; after that, it is stopped in order. */
function cancellable(
  host: string,
  command: string,
  { signal, input }: RunOptions,
  start: (begin: () => void) => Promise<Ended>,
): Promise<Ended> {
  // An input that fails before anybody reads it must not end the process.
  if (input instanceof Readable) input.on('error', () => undefined);
  return new Promise((resolve, reject) => {
    const fail = (error: Error): void => {
      signal?.removeEventListener('abort', cancel);
      if (input instanceof Readable) input.destroy();
      reject(error);
    };
    const cancel = (): void =>
      fail(new RemoteError({ host, command, reason: 'cancelled', why: 'was cancelled' }));
    const begin = (): void => {
      signal?.removeEventListener('abort', cancel);
      signal?.throwIfAborted();
    };
    if (signal?.aborted) return cancel();
    signal?.addEventListener('abort', cancel);
    start(begin).then(resolve, fail);
  });
}

/** @throws RemoteError when the command did not end as asked for. */
function resultOf(host: string, command: string, ended: Ended, { okCodes = [0] }: RunOptions): RunResult {
  const { code, stopped, stdout, stderr, truncated } = ended;
  if (stopped || code === null) {
    throw new RemoteError({ host, command, reason: 'lost', why: 'did not end', ...stopped, stdout, stderr });
  }
  if (!okCodes.includes(code)) {
    const why = `ended with exit code ${code}`;
    throw new RemoteError({ host, command, reason: 'exit', why, code, stdout, stderr });
  }
  return { code, stdout, stderr, truncated };
}
