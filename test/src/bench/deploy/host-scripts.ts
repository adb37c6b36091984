import type { Site } from '../../release-site.js';

/** Where a host notes when it booted, gated and drained: a word and two times, in milliseconds since the epoch, a line. */
export const PHASES = '/run/bench-phases';

/** What the peers' tasks and the floor call on the hosts: all of them wait in the same way. */
const SCRIPTS: Readonly<Record<string, string>> = {
  // NAME COMMAND…: runs it and notes when it began and ended.
  'bench-phase': `
name=$1
shift
start=$(date +%s%3N)
"$@" && code=0 || code=$?
echo "$name $start $(date +%s%3N)" >>${PHASES}
exit $code
`,
  // Until the web tier sends nothing more: no connection in five looks one after the other.
  'bench-drained': `
end=$(($(date +%s) + 20)) silent=0
while [ "$silent" -lt 5 ]; do
  [ "$(date +%s)" -lt "$end" ] || exit 1
  if ss -Htn state established 'sport = :5000' | grep -q .; then silent=0; else silent=$((silent + 1)); fi
  sleep 0.05
done
`,
  // RELEASE: the instance that serves stops, and this one starts in its place; until its first good answer.
  'bench-restart': `
old=$(basename "$(readlink /srv/shop/current.sock)" .sock)
systemctl disable --quiet --now "shop@$old"
ln -sfn "releases/$1" /srv/shop/current.next && mv -fT /srv/shop/current.next /srv/shop/current
ln -sfn "/run/shop/$1.sock" /srv/shop/current.sock.next && mv -fT /srv/shop/current.sock.next /srv/shop/current.sock
systemctl enable --quiet --now "shop@$1"
end=$(($(date +%s) + 30))
until curl --fail --silent --max-time 5 --unix-socket "/run/shop/$1.sock" http://shop/healthz >/dev/null; do
  [ "$(date +%s)" -lt "$end" ] || exit 1
  sleep 0.1
done
`,
  // RELEASE: healthy, and exactly this release, three times in a row by the way that requests take.
  'bench-gate': `
end=$(($(date +%s) + 30)) good=0
at=http://$(ss -Hltn 'sport = :5000' | awk 'NR == 1 { print $4 }')
while [ "$good" -lt 3 ]; do
  [ "$(date +%s)" -lt "$end" ] || exit 1
  [ "$good" = 0 ] || sleep 0.1
  if curl --fail --silent --max-time 5 "$at/healthz" | grep -q ok &&
    [ "$(curl --fail --silent --max-time 5 "$at/version")" = "$1" ]; then
    good=$((good + 1))
  else
    good=0
  fi
done
`,
};

/**
 * Debian 12's Capistrano knows none of the key exchanges that our sshd is left with: the hosts take one more, so that it
 * gets in. The other tools go on using the best that there is.
 */
const ADMIT_CAPISTRANO = `
file=/etc/ssh/sshd_config.d/00-perlstack.conf
grep -q '^KexAlgorithms.*,ecdh-sha2-[*]' $file
sed -i '/^KexAlgorithms/s/,ecdh-sha2-[*]//' $file
systemctl reload ssh
`;

/** Lays the scripts on every host. */
export async function prepareHosts(site: Site): Promise<void> {
  const files = Object.entries(SCRIPTS).map(
    ([name, text]) => `cat >/usr/local/bin/${name} <<'END'\n#!/bin/sh\nset -eu${text}END\n`,
  );
  const script = `${files.join('')}chmod 755 /usr/local/bin/bench-*\n: >${PHASES}\nchmod 666 ${PHASES}\n`;
  await everywhere(site, script + ADMIT_CAPISTRANO);
}

/**
 * Puts every app host into the state from which each tool starts: one release that serves and three older ones, of which
 * the clean-up has some to remove. They belong to the user `deploy`, as Capistrano needs it.
 */
export async function resetHosts(site: Site): Promise<void> {
  await everywhere(site, `: >${PHASES}`);
  await everywhere(
    site,
    `
cd /srv/shop/releases
serving=$(basename "$(readlink ../current.sock)" .sock)
for one in * .[!.]*; do [ "$one" = "$serving" ] || rm -rf "$one"; done
rm -f ../previous
for old in 20200101000001 20200101000002 20200101000003; do
  cp -a "$serving" "$old"
  touch -d 2020-01-01 "$old" "$old/.perlstack-sha256"
done
touch "$serving/.perlstack-good"
chown -R deploy:deploy /srv/shop
`,
    ['app'],
  );
}

/** Runs a script as root on every host of some tiers, at their consoles; gives the outputs by host. */
export async function everywhere(
  site: Site,
  script: string,
  tiers: readonly string[] = ['web', 'app'],
): Promise<Readonly<Record<string, string>>> {
  const hosts = site.inventory.hosts.filter(({ tier }) => tiers.includes(tier));
  const outputs: Record<string, string> = {};
  // Not all at once: fifty hosts share two processors.
  for (let at = 0; at < hosts.length; at += GROUP) {
    await Promise.all(
      hosts
        .slice(at, at + GROUP)
        .map(async ({ name }) => (outputs[name] = await atConsole(site, name, script))),
    );
  }
  return outputs;
}

const GROUP = 10;

async function atConsole(site: Site, host: string, script: string): Promise<string> {
  const { code, output } = await site.console(host, `set -eu\n${script}`);
  if (code !== 0) throw new Error(`${host}: a script of the benchmark ended with ${code}: ${output}`);
  return output;
}

/**
 * The sum of each server's own restart and gate, in seconds: by a script on the server, with no load and no tool.
 *
 * @param every one server in so many is measured, and stands for as many
 */
export async function floorOf(site: Site, every: number): Promise<number> {
  const all = site.inventory.hosts.filter(({ tier }) => tier === 'app');
  const hosts = all.filter((_, at) => at % every === 0);
  let ms = 0;
  for (const { name } of hosts) {
    ms += Number(
      await atConsole(
        site,
        name,
        `
serving=$(basename "$(readlink /srv/shop/current.sock)" .sock)
start=$(date +%s%3N)
bench-restart "$serving"
bench-gate "$serving"
echo $(($(date +%s%3N) - start))
`,
      ),
    );
  }
  return (ms / 1_000) * (all.length / hosts.length);
}
