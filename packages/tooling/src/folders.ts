import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** The content of every file of a folder by its name; a folder that is not there has none. */
export async function readFolder(folder: string): Promise<Map<string, Buffer>> {
  if (!existsSync(folder)) return new Map();
  const names = (await readdir(folder)).sort();
  return new Map(
    await Promise.all(names.map(async (name) => [name, await readFile(join(folder, name))] as const)),
  );
}

/** What is wrong with a folder that should hold exactly the expected files: one line a file. */
export function differences(
  actual: ReadonlyMap<string, Buffer>,
  expected: ReadonlyMap<string, Buffer>,
): string[] {
  const names = [...new Set([...actual.keys(), ...expected.keys()])].sort();
  return names.flatMap((name) => {
    const [is, ought] = [actual.get(name), expected.get(name)];
    if (!is) return [`${name}: missing`];
    if (!ought) return [`${name}: stale`];
    return is.equals(ought) ? [] : [`${name}: differs from line ${firstDifferentLine(is, ought)} on`];
  });
}

function firstDifferentLine(a: Buffer, b: Buffer): number {
  const [ours, theirs] = [a.toString().split('\n'), b.toString().split('\n')];
  const index = ours.findIndex((line, at) => line !== theirs[at]);
  return (index < 0 ? ours.length : index) + 1;
}
