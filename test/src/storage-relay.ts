import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import { createInterface } from 'node:readline';
import { Transform } from 'node:stream';

/**
 * Runs inside a cloud's internet, in front of an object storage: passes requests on as they are, with the `Host` that
 * their signatures are for, and does to them what a line of standard input says, a list of `RelayFault` in JSON. Each
 * line is answered with one that says how many requests the faults before it met.
 */
export interface RelayFault {
  /** Regular expression for `PUT /bucket/key?query`. */
  readonly match: string;
  /** How many requests it meets; left out: all. */
  readonly times?: number;
  /** Answers with this status once the request is read, and passes nothing on. */
  readonly status?: number;
  /** Reads the request and never answers. */
  readonly hang?: true;
  /** Breaks the connection off after so many bytes of the answer. */
  readonly cutAfter?: number;
}

interface Active extends RelayFault {
  met: number;
}

const [address = '', port, upstream] = process.argv.slice(2);
let faults: Active[] = [];

function faultFor(line: string): Active | undefined {
  const fault = faults.find(
    ({ match, times, met }) => new RegExp(match).test(line) && met < (times ?? Infinity),
  );
  if (fault) fault.met += 1;
  return fault;
}

createServer((asked, answer) => {
  const fault = faultFor(`${asked.method} ${asked.url}`);
  asked.on('error', () => answer.destroy());
  if (fault?.status !== undefined) refuse(asked, answer, fault.status);
  else if (fault?.hang) asked.resume();
  else pass(asked, answer, fault?.cutAfter);
}).listen(Number(port), address, () => process.stdout.write('ready\n'));

function refuse(asked: IncomingMessage, answer: ServerResponse, status: number): void {
  asked.resume().on('end', () => answer.writeHead(status, { 'content-length': 0 }).end());
}

function pass(asked: IncomingMessage, answer: ServerResponse, cutAfter: number | undefined): void {
  const { method, url, headers } = asked;
  // Node has told whoever expects it to go on.
  const { expect: _, ...kept } = headers;
  const onward = request({ host: address, port: Number(upstream), method, path: url, headers: kept });
  onward.on('error', () => answer.writableEnded || answer.destroy());
  asked.on('close', () => asked.complete || onward.destroy());
  onward.on('response', (reply) => {
    answer.writeHead(reply.statusCode ?? 502, reply.rawHeaders);
    reply.on('error', () => answer.writableEnded || answer.destroy());
    // RADOS Gateway sends an end of a body after the head alone, which Node takes for a fault of the next answer.
    if (method === 'HEAD') answer.end();
    else if (cutAfter === undefined) reply.pipe(answer);
    else reply.pipe(upTo(cutAfter, () => answer.destroy())).pipe(answer);
  });
  asked.pipe(onward);
}

/** Passes so many bytes, and then ends it for good. */
function upTo(most: number, end: () => void): Transform {
  let passed = 0;
  return new Transform({
    transform(chunk: Buffer, _, done) {
      this.push(chunk.subarray(0, most - passed));
      passed += chunk.length;
      if (passed > most) setImmediate(end);
      else done();
    },
  });
}

// Nobody is left who could want it.
process.stdin.on('end', () => process.exit());
createInterface({ input: process.stdin }).on('line', (line) => {
  const met = faults.reduce((sum, fault) => sum + fault.met, 0);
  faults = (JSON.parse(line) as RelayFault[]).map((fault) => ({ ...fault, met: 0 }));
  process.stdout.write(`${met}\n`);
});
