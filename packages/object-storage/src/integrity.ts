import { createHash } from 'node:crypto';

/** A part of a multipart upload; MD5 in hex. */
export interface Part {
  readonly part: number;
  readonly size: number;
  readonly md5: string;
}

/** ETag of an object that was put together from parts: the MD5 of their MD5s, and their number. */
export function compositeEtag(parts: readonly Pick<Part, 'md5'>[]): string {
  const hash = createHash('md5');
  parts.forEach(({ md5 }) => hash.update(Buffer.from(md5, 'hex')));
  return `${hash.digest('hex')}-${parts.length}`;
}

/** @returns what the storage holds otherwise than it was sent, a sentence each; nothing when all is as it should be */
export function compareParts(sent: readonly Part[], stored: readonly Part[]): string[] {
  const byNumber = new Map(stored.map((part) => [part.part, part]));
  const differing = sent.flatMap(({ part, size, md5 }) => {
    const there = byNumber.get(part);
    if (!there) return [`part ${part} is not there`];
    if (there.size !== size) return [`part ${part} has ${there.size} bytes instead of ${size}`];
    return there.md5 === md5 ? [] : [`part ${part} has another content`];
  });
  const numbers = new Set(sent.map(({ part }) => part));
  const gap = sent.findIndex(({ part }, at) => part !== at + 1);
  return [
    ...differing,
    ...(gap < 0 ? [] : [`part ${gap + 1} was never sent`]),
    ...stored.filter(({ part }) => !numbers.has(part)).map(({ part }) => `part ${part} is not ours`),
  ];
}

export const md5Base64 = (content: Buffer): string => createHash('md5').update(content).digest('base64');
export const md5Hex = (content: Buffer): string => createHash('md5').update(content).digest('hex');
