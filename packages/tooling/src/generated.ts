import { readFile } from 'node:fs/promises';
import { stackJsonSchema } from '@perlstack/stack';
import { format, resolveConfig } from 'prettier';
import { readActionYmls } from './action-yml.js';
import { replaceBetween } from './markers.js';
import { inRoot } from './repository.js';
import { actionsTable, interfaceTables } from './tables.js';

/** A file that is written from another source, as it is and as it should be. */
export interface GeneratedFile {
  /** Relative to the checkout. */
  readonly file: string;
  /** Undefined when the file is not there. */
  readonly is: string | undefined;
  readonly ought: string;
}

/** Everything in the checkout that is written from `action.yml` files and from the schema of the stack file. */
export async function generatedFiles(): Promise<GeneratedFile[]> {
  const actions = await readActionYmls();
  const readmes = [...actions].map(([name, yml]) =>
    generated(`actions/${name}/README.md`, (is, file) =>
      replaceBetween(is, 'inputs', interfaceTables(yml), file),
    ),
  );
  return Promise.all([
    generated('README.md', (is, file) => replaceBetween(is, 'actions', actionsTable(actions), file)),
    ...readmes,
    generated('packages/stack/perlstack.schema.json', () => JSON.stringify(stackJsonSchema())),
  ]);
}

/** Formatted as the formatter wants it, so that it doesn't change the file again. */
async function generated(file: string, make: (is: string, file: string) => string): Promise<GeneratedFile> {
  const path = inRoot(file);
  const is = await readIfThere(path);
  const options = await resolveConfig(path);
  return { file, is, ought: await format(make(is ?? '', file), { ...options, filepath: path }) };
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** The files that are not what they should be. */
export function staleFiles(files: readonly GeneratedFile[]): GeneratedFile[] {
  return files.filter(({ is, ought }) => is !== ought);
}
