import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { type AddressInfo, connect as dial, type Server, type Socket } from 'node:net';
import { type Host, HostSchema } from '@perlstack/stack';
import ssh2, { type Connection, type ServerChannel } from 'ssh2';
import { fingerprint, generateKeyPair, type KeyPair } from './keys.js';

/** An SSH server inside the test's process: real protocol, real processes, real forwarding. */
export interface TestServer {
  readonly hostKey: KeyPair;
  readonly port: number;
  /** Connections that were accepted so far, and how many of them were in their handshake at once at the most. */
  readonly seen: { connections: number; handshaking: number; mostHandshaking: number };
  /** The server as an inventory knows it. */
  host(name: string, overrides?: Partial<Host['ssh']>): Host;
  /** Cuts every connection, as a dying machine or network does. */
  cut(): void;
  close(): Promise<void>;
}

export interface TestServerOptions {
  /** The user's public key that is let in. */
  readonly authorized: string;
  /** How many connections are closed before the banner. */
  readonly dropFirst?: number;
  /** How many channels one connection may have open. */
  readonly maxSessions?: number;
  /** How long the login takes, in milliseconds. */
  readonly loginMs?: number;
}

export async function startServer(options: TestServerOptions): Promise<TestServer> {
  const hostKey = generateKeyPair();
  const seen = { connections: 0, handshaking: 0, mostHandshaking: 0 };
  const clients = new Set<Connection>();
  const server = new ssh2.Server({ hostKeys: [hostKey.privateKey] }, (client) => {
    clients.add(client);
    seen.connections++;
    seen.mostHandshaking = Math.max(seen.mostHandshaking, ++seen.handshaking);
    const settled = once(client, 'ready').then(
      () => true,
      () => false,
    );
    void settled.then(() => seen.handshaking--);
    client.on('error', () => undefined).on('close', () => clients.delete(client));
    serve(client, options);
  });
  // ssh2's server takes a socket by its `connection` event: what is turned away here never sees a banner.
  let toDrop = options.dropFirst ?? 0;
  const net = (server as unknown as { _srv: Server })._srv;
  const accept = net.listeners('connection') as ((socket: Socket) => void)[];
  net.removeAllListeners('connection');
  net.on('connection', (socket) => {
    socket.setNoDelay(true);
    if (toDrop-- > 0) socket.destroy();
    else for (const listener of accept) listener.call(net, socket);
  });
  server.listen(0, '127.0.0.1');
  await once(net, 'listening');
  const { port } = net.address() as AddressInfo;
  const ssh = { address: '127.0.0.1', port, user: 'deploy', hostKeys: [fingerprint(hostKey.publicKey)] };
  return {
    hostKey,
    port,
    seen,
    host: (name, overrides) => testHost(name, { ...ssh, ...overrides }),
    cut: () =>
      clients.forEach((client) => (client as unknown as { _sock: { destroy(): void } })._sock.destroy()),
    close: async () => {
      for (const client of clients) client.end();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

/** A host of an inventory, of which only the SSH part matters. */
export function testHost(name: string, ssh: Partial<Host['ssh']>): Host {
  return HostSchema.parse({ name, tier: 'web', publicAddress: null, privateAddress: null, ssh });
}

/** Whether a process still runs; one that ended and was not yet reaped does not. */
export function alive(pid: number): boolean {
  const commandLine = `/proc/${pid}/cmdline`;
  return existsSync(commandLine) && readFileSync(commandLine).length > 0;
}

function serve(client: Connection, { authorized, maxSessions = 10, loginMs = 0 }: TestServerOptions): void {
  const allowed = ssh2.utils.parseKey(authorized);
  if (allowed instanceof Error) throw allowed;
  let sessions = 0;
  client.on('authentication', (context) => {
    if (context.method !== 'publickey' || !context.key.data.equals(allowed.getPublicSSH())) {
      return context.reject(['publickey']);
    }
    const { signature, blob } = context;
    if (signature && blob && !allowed.verify(blob, signature)) return context.reject();
    setTimeout(() => context.accept(), loginMs);
  });
  client.on('session', (accept, reject) => {
    if (sessions >= maxSessions) return reject();
    sessions++;
    const session = accept();
    session.on('exec', (acceptExec, _reject, { command }) =>
      runCommand(acceptExec(), command, () => sessions--),
    );
  });
  client.on('tcpip', (accept, reject, { destIP, destPort }) => {
    const socket = dial(destPort, destIP);
    socket.once('error', () => reject());
    socket.once('connect', () => {
      const channel = accept();
      channel.on('error', () => undefined);
      socket.on('error', () => channel.destroy());
      channel.on('close', () => socket.destroy());
      channel.pipe(socket).pipe(channel);
    });
  });
}

function runCommand(channel: ServerChannel, command: string, done: () => void): void {
  // A process group of its own, as sshd gives to each command.
  const child = spawn('sh', ['-c', command], { detached: true });
  channel.on('error', () => undefined);
  child.stdin.on('error', () => undefined);
  channel.pipe(child.stdin);
  child.stdout.pipe(channel, { end: false });
  child.stderr.pipe(channel.stderr, { end: false });
  channel.on('close', done);
  child.on('close', (code, signal) => {
    if (signal) channel.exit(signal.replace('SIG', ''));
    else channel.exit(code ?? 255);
    channel.end();
    // Input that nobody read must not keep the channel open.
    channel.unpipe().resume();
  });
}
