/**
 * What `pgbackrest verify --output=text` found wrong, a sentence each. Its exit code says nothing of that, and a segment
 * that is missing in the middle it does not see.
 */
export function faultsIn(output: string): string[] {
  const faults = [...output.matchAll(/^ {2}(backup|archiveId): ([^,\n]+)(.*)\n((?: {4}.*\n?)*)/gm)].flatMap(
    ([, what = '', name = '', rest = '', counts = '']) => {
      const wrong = [...counts.matchAll(/([a-z][a-z ]*): ([1-9]\d*)/g)].map(
        ([, kind, count]) => `${count} ${kind}`,
      );
      const status = /status: (?!valid|in-progress)([^,\n]+)/.exec(rest)?.[1];
      if (wrong.length === 0 && status === undefined) return [];
      const thing = what === 'backup' ? `Backup ${name}` : `The log ${name}`;
      return [`${thing} is not as it was stored: ${wrong.join(', ') || (status ?? '')}`];
    },
  );
  if (faults.length > 0) return faults;
  const status = /^status: error(.*)$/m.exec(output);
  return status ? [`The repository is not sound${status[1] ? `:${status[1]}` : ''}`] : [];
}
