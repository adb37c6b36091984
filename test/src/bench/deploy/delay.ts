import { connect, createServer, type Socket } from 'node:net';

/**
 * A line that is long: carries streams to an address, and everything on them arrives so many milliseconds later, in each
 * direction. Arguments: address, port, milliseconds. Prints the port of 127.0.0.1 on which it listens. It stands in for
 * the kernel's own delay (netem), which not every machine has.
 */
const [address = '', port, oneWay] = process.argv.slice(2);
const delay = Number(oneWay);

const server = createServer({ allowHalfOpen: true, noDelay: true }, (near) => {
  near.on('error', () => near.destroy());
  // The handshake that the kernel has just done at once takes a round trip on such a line.
  setTimeout(() => {
    const far = connect({ host: address, port: Number(port), allowHalfOpen: true, noDelay: true });
    far.on('error', () => near.destroy());
    near.on('close', () => far.destroy());
    carry(near, far);
    carry(far, near);
  }, 2 * delay);
}).listen(0, '127.0.0.1', () => {
  const at = server.address();
  process.stdout.write(`${typeof at === 'object' ? at?.port : ''}\n`);
});

function carry(from: Socket, to: Socket): void {
  from.on('data', (chunk: Buffer) => void setTimeout(() => to.write(chunk), delay));
  from.on('end', () => void setTimeout(() => to.end(), delay));
}
