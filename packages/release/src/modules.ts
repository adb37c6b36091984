import { createHash } from 'node:crypto';
import { MODULES_PATH } from '@perlstack/configs';
import type { Handler } from '@perlstack/procedure';
import { RemoteError } from '@perlstack/remote';
import { buildsOnHosts, type Stack, UserError } from '@perlstack/stack';
import type { BuildFacts } from './artifact.js';
import { act, EVIDENCE_LINES, type Hands, linesOf, ReleaseFault, SHORT_MS } from './hands.js';
import type { AppFacts } from './preflight/facts.js';
import { upstreamAddress } from './site.js';
import type { ModulesStep, ReleaseStep } from './steps.js';
import type { AppHostState } from './world.js';

/** The Perl modules that a release needs, and how they are made where no host has them. */
export interface Modules {
  /** The same for all releases with the same dependencies, the same tool, the same perl and the same system. */
  readonly key: string;
  /** Program and arguments; one with a slash is a file of the release. */
  readonly command: readonly string[];
}

/**
 * Compiled modules that an artifact brings fit one version and one kind of perl: on another one the application would not load, on one server after the
 * other.
 *
 * @throws UserError naming the first host that has another
 */
export function requirePerl({ archname, perl }: BuildFacts, hosts: readonly AppFacts[]): void {
  const fits = (found: string): boolean => {
    const [version = '', kind] = found.split(' ');
    return (archname === null || kind === archname) && (perl === null || version.startsWith(`${perl}.`));
  };
  const other = hosts.find((host) => host.perl !== '' && !fits(host.perl));
  if (other === undefined) return;
  const built = [...(perl === null ? [] : [`perl ${perl}`]), ...(archname === null ? [] : [archname])].join(
    ', ',
  );
  throw new UserError(
    `the artifact brings modules that were compiled for ${built}, and ${other.host} has perl ${other.perl}: build it where the same ` +
      'perl is installed, or on a host ("app.build: { with: carton }"). Nothing was changed',
  );
}

/**
 * What is to be built on a host.
 *
 * @returns null where nothing is
 * @throws UserError when it cannot be, or would not fit all hosts
 */
export function modulesOf(stack: Stack, facts: BuildFacts, hosts: readonly AppFacts[]): Modules | null {
  if (!buildsOnHosts(stack)) return null;
  const { build } = stack.app;
  if (facts.cpanfile === null) {
    throw new UserError(
      `app.build: the artifact holds no cpanfile at its top, and ${build.with} builds what that names. Nothing was changed`,
    );
  }
  if (facts.hasLocal) {
    throw new UserError(
      'app.build: the artifact holds "local", where the modules that are built on a host are to be: leave it out, or set "build: { on: ' +
        'runner }". Nothing was changed',
    );
  }
  const parts = [build.with, facts.cpanfile, facts.snapshot ?? '', sameKind(hosts)];
  const key = createHash('sha256').update(parts.join('\n')).digest('hex').slice(0, 16);
  return { key, command: build.with === 'carton' ? cartonCommand(facts) : cpmCommand(facts) };
}

/** Compiled modules fit one perl and the libraries of one system, and are built on one host for all. */
function sameKind(hosts: readonly AppFacts[]): string {
  const found = new Map(hosts.map(({ host, perl, os }) => [`perl ${perl} on ${os}`, host]));
  const [kind = ''] = found.keys();
  if (found.size < 2) return kind;
  const all = [...found].map(([one, host]) => `${host} ${one}`).join(', ');
  throw new UserError(
    `app.build: the app servers are of different kinds (${all}), and what one builds does not load on the other: use one image for ` +
      'all of them. Nothing was changed',
  );
}

export const hasModules = ({ modules }: AppHostState, key: string): boolean =>
  modules.some((one) => one.key === key);

/** The host that builds, where none has the modules yet, and with what. */
function buildIn(steps: readonly ReleaseStep[], hosts: readonly AppHostState[]): ModulesStep | undefined {
  const isBuilt = ({ host, key }: ModulesStep): boolean =>
    hosts.some((one) => one.host === host && hasModules(one, key));
  return steps.filter((one) => one.kind === 'modules').find((one) => one.source === null && !isBuilt(one));
}

/**
 * What is missing for a build, before anything is changed.
 *
 * @returns what else should be known of it, as warnings
 * @throws UserError where the host that is to build has no program for it
 */
export function checkBuild(
  steps: readonly ReleaseStep[],
  hosts: readonly AppHostState[],
  facts: readonly AppFacts[],
  { snapshot }: BuildFacts,
): string[] {
  const build = buildIn(steps, hosts);
  if (build === undefined) return [];
  const [program = ''] = build.command;
  const there = facts.find(({ host }) => host === build.host)?.tools ?? [];
  if (!program.includes('/') && !there.includes(program)) {
    throw new UserError(
      `${build.host} has no ${program}, which is to build the modules there: add it to the image or to app.packages, or set "build: { ` +
        'on: runner }". Nothing was changed',
    );
  }
  return snapshot === null
    ? [
        'the artifact has no cpanfile.snapshot: another day builds other versions; run carton install and commit what it writes',
      ]
    : [];
}

const cartonCommand = ({ snapshot, vendored }: BuildFacts): string[] => [
  'carton',
  'install',
  ...(snapshot === null ? [] : ['--deployment']),
  ...(vendored ? ['--cached'] : []),
];

const cpmCommand = ({ snapshot, vendored, cpm }: BuildFacts): string[] => [
  cpm ?? 'cpm',
  'install',
  '--local-lib-contained=local',
  ...(vendored ? ['--resolver=02packages,file://vendor/cache'] : []),
  ...(snapshot === null ? [] : ['--resolver=snapshot']),
];

/**
 * Arguments: release, key, URL to fetch from (or nothing), SHA-256 of what is fetched, seconds, command. Makes the tree of
 * modules, by one rename when it is whole: fetched, or built as the application's user in a copy of the release. Then the
 * release gets a link to it. Where it is built, it is packed for the others. Prints how it came here, and the pack's SHA-256.
 * Exit 65: it arrived damaged; 75: the build failed.
 */
export const MODULES = String.raw`
id=$1 key=$2 source=$3 sha=$4 limit=$5
shift 5
trees=$home/modules
part=$trees/.$key.partial
install -d -m 755 "$trees"
exec 9>"$trees/.lock"
flock 9
build_unit=perlstack-build-$user.service
# One that goes on although who started it is gone would build in the same folder.
systemctl stop "$build_unit" 2>/dev/null || true
trap 'rm -rf "$part" "$part.local" "$part.tar.zst"' EXIT
rm -rf "$trees"/.*.partial*
settle() {
  chown -hR root:root "$1"
  chmod -R u=rwX,go=rX,ug-s "$1"
  note_bytes "$1"
  sync -f "$1"
  mv -T "$1" "$trees/$key"
}
# The application that serves beside it comes first, however much a compiler would like to have.
most=$(awk '/^MemAvailable:/ { printf "%d", $2 * 1024 * 0.9 }' /proc/meminfo)
as_builder() {
  systemctl reset-failed "$build_unit" 2>/dev/null || true
  systemd-run --quiet --wait --pipe --collect --unit="$build_unit" -p "User=$user" -p "Group=$user" \
    -p "WorkingDirectory=$part" -p "RuntimeMaxSec=$limit" -p "Environment=HOME=$part/.home" -p Environment=PERL_MM_USE_DEFAULT=1 \
    -p NoNewPrivileges=yes -p ProtectSystem=strict -p "ReadWritePaths=$part" -p ProtectHome=yes -p PrivateTmp=yes \
    -p OOMScoreAdjust=900 -p Nice=10 -p "MemoryMax=$most" -- "$@" </dev/null >&2
}
build() {
  install -d -m 700 "$part"
  cp -a "$releases/$id/." "$part/"
  install -d "$part/.home"
  chown -hR "$user:$user" "$part"
  program=$1
  shift
  case $program in */*) program=$part/$program ;; *) program=$(command -v "$program" || echo "$program") ;; esac
  [ -x "$program" ] || { echo "there is no \${program##*/} on this host" >&2; return 1; }
  # What was built is not ours to trust: a link in its place, or in that of a log, would lead root to somebody else's files.
  if as_builder "$program" "$@"; then
    [ -e "$part/local" ] || [ -L "$part/local" ] || install -d "$part/local/lib/perl5"
    [ ! -d "$part/local" ] || [ -L "$part/local" ] || return 0
  fi
  as_builder sh -c 'cat .home/.cpanm/work/*/build.log .home/.perl-cpm/build.log 2>/dev/null | tail -n 30' || true
  return 1
}
if [ -d "$trees/$key" ]; then how='from cache'
elif [ -n "$source" ]; then
  curl -q --fail --silent --show-error --noproxy '*' --max-time "$limit" --output "$part.tar.zst" "$source$key.tar.zst"
  found=$(sha256sum <"$part.tar.zst" | cut -d ' ' -f 1)
  [ "$found" = "$sha" ] || { echo "what came from $source has SHA-256 $found" >&2; exit 65; }
  install -d -m 700 "$part"
  tar --extract --zstd --file "$part.tar.zst" --directory "$part" --no-same-owner --no-same-permissions
  settle "$part"
  how=fetched
else
  build "$@" || exit 75
  mv -T "$part/local" "$part.local"
  rm -rf "$part"
  settle "$part.local"
  how=built
fi
point "../../modules/$key" "$releases/$id/local"
if [ -z "$source" ] && [ ! -e "$trees/$key.tar.zst" ]; then
  tar --create --zstd --file "$part.tar.zst" --directory "$trees/$key" .
  mv -f "$part.tar.zst" "$trees/$key.tar.zst"
fi
[ -n "$source" ] || sha=$(sha256sum <"$trees/$key.tar.zst" | cut -d ' ' -f 1)
echo "$sha $how"
`.replaceAll('\\${', '${');

/** Limit of a build, and of fetching what was built. */
const BUILD_MS = 20 * 60_000;

/** Lines of the tools that tell how far they are. */
const TELLING = /^(?:Successfully |Installing|Building|Configuring|Fetching|DONE |! |-->)/;

export function providing(hands: Hands): Handler<ModulesStep> {
  const { site } = hands;
  return {
    run: async ({ host, release, key, command, source }, context) => {
      const url = source === null ? '' : `http://${upstreamAddress(site, source)}${MODULES_PATH}`;
      const sha = source === null ? '' : (hands.packs.get(key) ?? '');
      const args = [release, key, url, sha, String(BUILD_MS / 1_000), ...command];
      const onLine = (line: string): void =>
        void (TELLING.test(line) && context.progress(line.slice(0, 200)));
      try {
        const limit = { timeoutMs: BUILD_MS + SHORT_MS, onLine };
        const said = await act(hands, host, ['building modules', MODULES], args, context, limit);
        const [pack = '', ...how] = said.split(' ');
        if (source === null) hands.packs.set(key, pack);
        return how.join(' ');
      } catch (error) {
        if (!(error instanceof RemoteError) || error.code !== BUILD_FAILED) throw error;
        const lines = linesOf(error.stderr);
        const blame = lines.find((line) => /\berror\b|^! /i.test(line)) ?? lines.at(-1) ?? 'no reason given';
        throw new ReleaseFault(
          `${host}: the modules of ${release} cannot be built: ${blame}`,
          lines.slice(-EVIDENCE_LINES),
        );
      }
    },
  };
}

const BUILD_FAILED = 75;
