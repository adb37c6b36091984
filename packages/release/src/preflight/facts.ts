/** What an app host shows of how it would run and stop a release, whoever configured it. */
export interface AppFacts {
  readonly host: string;
  /** Of the instance `perlstack-preflight`, drop-ins included, as `systemctl show` prints it. */
  readonly unit: {
    readonly killMode: string;
    /** Number of the signal. */
    readonly killSignal: string;
    /** Such as `45s`, `1min 30s` or `infinity`. */
    readonly timeoutStop: string;
    readonly workingDirectory: string;
    /** The command line's words, the program first. */
    readonly command: readonly string[];
    /** `PERL5LIB`, of the unit or of its file of variables. */
    readonly perl5lib: string;
  };
  /** Of `nginx -T`; null where that fails, or there is no nginx. */
  readonly nginx: string | null;
  /** `5.40.1 x86_64-linux-gnu-thread-multi` */
  readonly perl: string;
  /** `debian 12` */
  readonly os: string;
  /** Those of the programs that build modules which are there. */
  readonly tools: readonly string[];
  /** `0.4018`; empty where there is none. */
  readonly starman: string;
}

export interface WebFacts {
  readonly host: string;
  readonly nginx: string | null;
}

/** The instance that is asked for and never started. */
export const PREFLIGHT_ID = 'perlstack-preflight';

/** Continues the script that observes an app host. */
export const APP_FACTS = String.raw`
one="$unit"${PREFLIGHT_ID}.service
# Of the variables nothing else leaves the host than where modules are looked for.
systemctl show -p KillMode,KillSignal,TimeoutStopUSec,WorkingDirectory,ExecStart,Environment,EnvironmentFiles "$one" | awk '
  function look(word) { gsub("[\"\047]", "", word); if (index(word, "PERL5LIB=") == 1) path = substr(word, 10) }
  index($0, "ExecStart=") == 1 {
    if (command == "" && match($0, /argv\[\]=.* ; ignore_errors=/)) command = substr($0, RSTART + 7, RLENGTH - 24)
    next
  }
  index($0, "Environment=") == 1 { count = split(substr($0, 13), words, " "); for (at = 1; at <= count; at++) look(words[at]); next }
  index($0, "EnvironmentFiles=") == 1 { file = substr($0, 18); sub(/ \([^(]*$/, "", file); while ((getline line < file) > 0) look(line); next }
  { unit = unit $0 "|" }
  END { print "unit\t" unit "\ncommand\t" command "\nperl5lib\t" path }'
perl -MConfig -e '
  my $starman = "";
  for (@INC) {
    open my $module, "<", "$_/Starman.pm" or next;
    while (<$module>) { last if ($starman) = /\bVERSION\s*=\s*["\x27]?([\d.]+)/ }
    last;
  }
  printf "perl\t%vd %s\nstarman\t%s\n", $^V, $Config{archname}, $starman // ""' 2>/dev/null || true
say os "$(. /etc/os-release 2>/dev/null && printf '%s %s' "\${ID-}" "\${VERSION_ID-}")"
tools=
for tool in carton cpm; do ! command -v "$tool" >/dev/null || tools="$tools$tool "; done
say tools "$tools"
say nginx "$(nginx -T 2>/dev/null | base64 -w 0)"
`.replaceAll('\\${', '${');

/** Continues the script that observes a web host. */
export const WEB_FACTS = String.raw`
printf 'nginx %s\n' "$(nginx -T 2>/dev/null | base64 -w 0)"
`;

/** @param one the first value of the first line with a word */
export function appFactsOf(host: string, one: (word: string) => string): AppFacts {
  const properties = new Map(
    one('unit')
      .split('|')
      .map((line): [string, string] => {
        const at = line.indexOf('=');
        return [line.slice(0, at), line.slice(at + 1)];
      }),
  );
  const property = (name: string): string => properties.get(name) ?? '';
  return {
    host,
    unit: {
      killMode: property('KillMode'),
      killSignal: property('KillSignal'),
      timeoutStop: property('TimeoutStopUSec'),
      workingDirectory: property('WorkingDirectory'),
      command: one('command').split(' ').filter(Boolean),
      perl5lib: one('perl5lib'),
    },
    nginx: decode(one('nginx')),
    perl: one('perl'),
    os: one('os').trim(),
    tools: one('tools').split(' ').filter(Boolean),
    starman: /^[\d.]+/.exec(one('starman'))?.[0] ?? '',
  };
}

export const decode = (base64: string): string | null =>
  base64 === '' ? null : Buffer.from(base64, 'base64').toString('utf8');
