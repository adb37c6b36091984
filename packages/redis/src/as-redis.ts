/** An argv that runs a program as the user whose data Redis's are, for root. */
export const asRedis = (argv: readonly string[]): string[] => [
  ...['env', '--chdir=/', 'LC_ALL=C.UTF-8', 'runuser', '-u', 'redis', '--'],
  ...argv,
];
