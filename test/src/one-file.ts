import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { bundleProgram } from '@perlstack/tooling';

/**
 * Makes one file of a compiled program, as users run actions: to load each package's files would take most of its start.
 *
 * @param entry its path; it does not await at its top, since what it depends on asks for its folder as scripts of the
 *   older kind do
 * @returns path of the file
 */
export async function bundleInto(folder: string, entry: string): Promise<string> {
  const script = join(folder, 'main.cjs');
  await writeFile(script, `require(${JSON.stringify(entry)});\n`);
  await bundleProgram(script, join(folder, 'dist'));
  return join(folder, 'dist', 'index.cjs');
}
