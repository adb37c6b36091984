import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from '@jest/globals';
import { tree } from './compare.js';
import { EXAMPLES } from './examples.js';
import { render } from './render.js';

// UPDATE_GOLDEN=1 writes the files anew; read them before they are committed.
const UPDATE = process.env['UPDATE_GOLDEN'] === '1';
const FOLDER = fileURLToPath(new URL('./golden', import.meta.url));

async function readTree(folder: string): Promise<Record<string, string>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name));
  const pairs = files.map(
    async (file) => [path.relative(folder, file), await readFile(file, 'utf8')] as const,
  );
  return Object.fromEntries(await Promise.all(pairs));
}

async function writeTree(folder: string, files: Record<string, string>): Promise<void> {
  await rm(folder, { recursive: true, force: true });
  for (const [name, content] of Object.entries(files)) {
    await mkdir(path.dirname(path.join(folder, name)), { recursive: true });
    await writeFile(path.join(folder, name), content);
  }
}

describe('render writes the files in golden/', () => {
  it.each(Object.entries(EXAMPLES))('%s', async (name, { stack, inventory, secrets, tls }) => {
    const bundle = render(stack, inventory, { secrets, tls });
    const rendered = Object.fromEntries(tree(bundle).map(({ path: file, content }) => [file, content]));
    const services = bundle.hosts.map(({ host, users, services }) => ({
      host,
      users,
      services: services.map((service) => ({
        ...service,
        files: service.files.map(({ path: file }) => file),
      })),
    }));
    const files = {
      ...rendered,
      'bundle.json': `${JSON.stringify({ services, notes: bundle.notes }, null, 2)}\n`,
    };
    if (UPDATE) await writeTree(path.join(FOLDER, name), files);
    expect(files).toEqual(await readTree(path.join(FOLDER, name)));
  });
});
