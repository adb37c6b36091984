import { connect, createServer } from 'node:net';

/**
 * Runs inside a cloud's internet (a network namespace) and carries streams out of it: a socket in the file system is
 * reached from everywhere. The first line of a stream says where it goes: `203.0.113.11 22`.
 */
const [path] = process.argv.slice(2);
createServer((inside) => {
  inside.on('error', () => inside.destroy());
  inside.once('readable', () => {
    const start = (inside.read() as Buffer | null) ?? Buffer.alloc(0);
    const end = start.indexOf('\n');
    const [address = '', port] = start.subarray(0, end).toString().split(' ');
    inside.unshift(start.subarray(end + 1));
    // As what it carries asks for: a small packet that waits for the other side's word takes 40 ms.
    const outside = connect({ host: address, port: Number(port), noDelay: true });
    outside.on('error', () => inside.destroy()).on('close', () => inside.destroy());
    inside.on('close', () => outside.destroy());
    outside.once('connect', () => {
      inside.pipe(outside);
      outside.pipe(inside);
    });
  });
}).listen(path, () => process.stdout.write('ready\n'));
