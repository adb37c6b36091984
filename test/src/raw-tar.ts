import { gzipSync } from 'node:zlib';

/** A member of an archive, as no tar program would pack it. */
export interface Member {
  readonly path: string;
  readonly content?: string;
  /** Flag of the header; `0` (a file) if absent. */
  readonly type?: keyof typeof FLAGS;
  readonly target?: string;
}

const FLAGS = { file: '0', hardlink: '1', symlink: '2', device: '3', pipe: '6' } as const;

/** A tar.gz with exactly these headers, however wrong they are. */
export function rawTar(members: readonly Member[]): Buffer {
  const blocks = members.flatMap((member) => [headerOf(member), padded(member.content ?? '')]);
  return gzipSync(Buffer.concat([...blocks, Buffer.alloc(1024)]));
}

function padded(content: string): Buffer {
  const block = Buffer.alloc(Math.ceil(content.length / 512) * 512);
  block.write(content);
  return block;
}

/** A header of the format ustar; its checksum counts its own field as spaces. */
function headerOf({ path, content = '', type = 'file', target = '' }: Member): Buffer {
  const header = Buffer.alloc(512);
  const octal = (value: number, at: number, digits: number): void =>
    void header.write(value.toString(8).padStart(digits, '0'), at);
  header.write(path, 0);
  octal(0o644, 100, 7);
  octal(0, 108, 7);
  octal(0, 116, 7);
  octal(content.length, 124, 11);
  octal(0, 136, 11);
  header.fill(' ', 148, 156);
  header.write(FLAGS[type], 156);
  header.write(target, 157);
  header.write('ustar\u000000', 257);
  octal(
    header.reduce((sum, byte) => sum + byte, 0),
    148,
    6,
  );
  header[154] = 0;
  return header;
}
