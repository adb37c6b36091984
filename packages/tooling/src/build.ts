// `npm run build [-- ACTION…]`: bundles the actions into their dist folders.
import { availableParallelism } from 'node:os';
import { terminalTable } from '@perlstack/action';
import { type Bundle, rebuild } from './bundle.js';
import { inParallel, verb } from './program.js';
import { chosenActions } from './repository.js';

function row({ action, sizes, seconds }: Bundle): string[] {
  const kibibytes = Object.values(sizes).map((bytes) => `${Math.ceil(bytes / 1024)} KiB`);
  return [action, ...kibibytes, `${seconds.toFixed(1)} s`];
}

await verb(async () => {
  const actions = chosenActions(process.argv.slice(2));
  const bundles = await inParallel(actions, availableParallelism(), rebuild);
  const header = ['dist', ...Object.keys(bundles[0]?.sizes ?? {}), 'time'];
  console.log(terminalTable(header, bundles.map(row), ['l', 'r', 'r', 'r']));
  return 0;
});
