/** One index that the machine's apt knows, as `apt-get indextargets` prints it. */
export interface AptIndex {
  readonly uri: string;
  /** `bookworm`, `bookworm-updates`, `bookworm-security`. */
  readonly release: string;
  readonly origin: string;
  readonly component: string;
}

/** Format for `apt-get indextargets --format`; {@link parseIndexes} reads what it prints. */
export const INDEX_FORMAT = '$(REPO_URI)|$(RELEASE)|$(ORIGIN)|$(COMPONENT)';

/** Reads the lines of `apt-get indextargets --format` {@link INDEX_FORMAT}. */
export function parseIndexes(output: string): AptIndex[] {
  return output
    .split('\n')
    .map((line) => line.split('|'))
    .filter((fields) => fields.length === 4)
    .map(([uri = '', release = '', origin = '', component = '']) => ({ uri, release, origin, component }));
}

/** What follows the suite's name in a release: nothing, `-updates` or `-security`; `null` for anything else. */
function suffixOf(release: string): string | null {
  const match = /^[a-z]+(-updates|-security)?$/.exec(release);
  return match === null ? null : (match[1] ?? '');
}

/**
 * The machine's own Debian sources with the suite rewritten, as lines for `sources.list`: the image is fetched from
 * the same mirror as the machine's packages. Empty when the machine has no Debian source (Ubuntu).
 */
export function debianSources(indexes: readonly AptIndex[], suite: string, keyring: string): string[] {
  const lines = indexes
    .filter((index) => index.origin === 'Debian' && index.component === 'main')
    .flatMap((index) => {
      const suffix = suffixOf(index.release);
      return suffix === null ? [] : [`deb [signed-by=${keyring}] ${index.uri} ${suite}${suffix} main`];
    });
  const hasMain = lines.some((line) => line.endsWith(` ${suite} main`));
  return hasMain ? [...new Set(lines)] : [];
}
