/**
 * Why an application does not compile or load, of what perl said, in one line: what Plack ended with, or else what was
 * said first. Warnings may come before an end, and a message that ends in a colon has its cause in the next line.
 *
 * @param lines without empty ones
 * @returns undefined where nothing was said
 */
export function faultIn(lines: readonly string[]): string | undefined {
  const end = lines.findIndex((line) => PLACK.test(line));
  const [first, ...rest] = end < 0 ? lines : lines.slice(end);
  const fault = first?.replace(PLACK, '');
  return fault?.endsWith(':') && rest[0] !== undefined ? `${fault} ${rest[0]}` : fault;
}

/** How Plack begins the error of a PSGI file. */
const PLACK = /^Error while loading \S+: /;
