// `npm run docs [-- --check]`: writes the tables of the READMEs and the JSON Schema of the stack file.
import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { generatedFiles, staleFiles } from './generated.js';
import { verb } from './program.js';
import { inRoot } from './repository.js';

await verb(async () => {
  const { values } = parseArgs({ options: { check: { type: 'boolean', default: false } } });
  const stale = staleFiles(await generatedFiles());
  for (const { file, ought } of stale) {
    if (!values.check) await writeFile(inRoot(file), ought);
    console.log(`${file}: ${values.check ? 'stale' : 'written'}`);
  }
  if (stale.length === 0) console.log('Every generated file is up to date.');
  else if (values.check) console.log('Cure: npm run docs');
  return values.check && stale.length > 0 ? 1 : 0;
});
