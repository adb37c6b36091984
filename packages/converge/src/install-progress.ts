/**
 * Reads what apt-get prints and says, at every quarter of the way, how many packages are set up: a line for each of them
 * would hide everything else.
 *
 * @returns takes the lines of apt-get's output
 */
export function installProgress(tell: (message: string) => void): (line: string) => void {
  let total = 0;
  let ready = 0;
  return (line) => {
    const [, upgraded, installed] = /^(\d+) upgraded, (\d+) newly installed/.exec(line) ?? [];
    if (installed !== undefined) total = Number(upgraded) + Number(installed);
    if (!line.startsWith('Setting up ')) return;
    ready += 1;
    const quarters = Math.floor((ready / total) * 4);
    if (quarters > Math.floor(((ready - 1) / total) * 4)) tell(`${ready} of ${total} packages`);
  };
}
