/** What a file of end-to-end tests may need: its hosts (ten at the most), an object storage, visitors and jest's worker. */
const BYTES_PER_FILE = 3 * 1024 ** 3;

/**
 * How many files of end-to-end tests run at once. One waits a good part of its time, for hosts that boot, for leases that
 * expire and for a machine that does not answer: three for two CPUs keep them busy. Beyond that, each only takes longer.
 *
 * @param bytes memory of the machine
 */
export function filesSideBySide(cpus: number, bytes: number): number {
  return Math.max(1, Math.min(Math.ceil(1.5 * cpus), Math.floor(bytes / BYTES_PER_FILE)));
}
