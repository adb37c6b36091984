/**
 * Reads what pg_basebackup writes and says, at every tenth of the way, how much of the data has come.
 *
 * @returns takes the lines of its output
 */
export function cloneProgress(tell: (message: string) => void): (line: string) => void {
  let tenths = 0;
  return (line) => {
    const [, done, total, percent] = /(\d+)\/(\d+) kB \((\d+)%\)/.exec(line) ?? [];
    if (done === undefined || total === undefined) return;
    const reached = Math.floor(Number(percent) / 10);
    if (reached <= tenths) return;
    tenths = reached;
    tell(`${mebibytes(done)} of ${mebibytes(total)} MiB`);
  };
}

const mebibytes = (kibibytes: string): string => Math.ceil(Number(kibibytes) / 1_024).toLocaleString('en');
