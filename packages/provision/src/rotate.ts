import { realClock } from '@perlstack/linode';
import type { Handler, StepContext } from '@perlstack/procedure';
import { ConnectError, type Remote } from '@perlstack/remote';
import { type Host, type Inventory, UserError } from '@perlstack/stack';
import { hostOf } from './inventory.js';
import { lookup, required } from './lookup.js';
import { fingerprintsOf, ROTATED_TAG, withFingerprints } from './names.js';
import type { ObservedLinode } from './observed.js';
import { readLinode } from './read.js';
import type { RotateHostKey } from './steps.js';
import type { ProvisionTools } from './tools.js';

/*
 * The first host key came by user data, which any process on the host can read. It is replaced by one that is made on
 * the host and never leaves it. At every moment the tags hold each key that the host may show, so that a run that is
 * killed anywhere is taken up by the next:
 *
 *   1. PREPARE  a new key lies beside the old one, or is in place already     tags: old          host shows: old (or new)
 *   2. tags     both fingerprints                                             tags: old and new
 *   3. INSTALL  the new key is put in place, sshd reloads                     tags: old and new  host shows: new
 *   4. verify   a new connection that accepts the new key only
 *   5. tags     the new fingerprint, and that it is rotated                   tags: new
 */

/** Prints the fingerprint of the key that is to be the host's: the one made before, if a run was cut off. */
const PREPARE = `set -eu
umask 077
dir=/etc/ssh/perlstack-rotation
if command -v cloud-init >/dev/null 2>&1; then timeout 300 cloud-init status --wait >/dev/null 2>&1 || true; fi
if [ -e "$dir/installed" ]; then
  ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub
  exit 0
fi
mkdir -p "$dir"
if [ ! -s "$dir/key" ]; then
  rm -f "$dir/making" "$dir/making.pub"
  ssh-keygen -q -t ed25519 -N '' -C '' -f "$dir/making"
  mv "$dir/making.pub" "$dir/key.pub"
  mv "$dir/making" "$dir/key"
fi
ssh-keygen -lf "$dir/key.pub"
`;

/** Puts the prepared key in place, file by file and by rename; doing so twice does no harm. */
const INSTALL = `set -eu
umask 077
dir=/etc/ssh/perlstack-rotation
key=/etc/ssh/ssh_host_ed25519_key
if [ ! -e "$dir/installed" ]; then
  install -m 0600 "$dir/key" "$key.new"
  install -m 0644 "$dir/key.pub" "$key.pub.new"
  mv "$key.new" "$key"
  mv "$key.pub.new" "$key.pub"
  sync
  : > "$dir/installed"
fi
rm -f "$dir/key" "$dir/key.pub"
systemctl try-reload-or-restart ssh.service
`;

/** Rotates the host key of one Linode; see the order above. */
export function rotateHostKey(tools: ProvisionTools): Handler<RotateHostKey> {
  const find = lookup(tools.client, tools.stack.stack);
  const read = reader(tools);
  return {
    check: async ({ label }) => required(await find.linode(label), label).tags.includes(ROTATED_TAG),
    run: async (step, context) => {
      const over: OverSsh = (only, work) => overSsh(tools, read, step, only, work);
      const fresh = await prepare(over, context);
      const before = await read(step.label);
      await tag(tools, before, [...new Set([...fingerprintsOf(before.tags), fresh])]);
      await over(null, async (remote, { name }) => {
        await remote.script(name, INSTALL, [], {
          sudo: true,
          name: 'new host key',
          signal: context.signal,
          timeoutMs: 60_000,
        });
      });
      await verify(tools, over, fresh, context);
      await tag(tools, await read(step.label), [fresh], ROTATED_TAG);
      return fresh;
    },
  };
}

/** Does something over a connection of its own; `only` is the one host key to accept, `null` those of the tags. */
type OverSsh = <T>(only: string | null, work: (remote: Remote, host: Host) => Promise<T>) => Promise<T>;

async function prepare(over: OverSsh, { signal }: StepContext): Promise<string> {
  return over(null, async (remote, { name }) => {
    const options = { sudo: true, name: 'host key', signal, timeoutMs: 360_000 };
    const { stdout } = await remote.script(name, PREPARE, [], options);
    const [fingerprint] = /SHA256:[A-Za-z0-9+/]{43}/.exec(stdout) ?? [];
    if (!fingerprint)
      throw new UserError(`${name}: ssh-keygen showed no fingerprint of the new host key. Run again`);
    return fingerprint;
  });
}

/** A reload comes to sshd by a signal: for a moment the old key may still be shown. */
const VERIFY_TRIES = 10;

async function verify(
  { clock = realClock }: ProvisionTools,
  over: OverSsh,
  fresh: string,
  { signal }: StepContext,
): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await over(fresh, async (remote, { name }) => {
        await remote.run(name, ['true'], { signal });
      });
    } catch (error) {
      const early = error instanceof ConnectError && error.reason === 'wrong-host-key';
      if (!early || attempt === VERIFY_TRIES) throw error;
      await clock.sleep(500, signal);
    }
  }
}

/** Over a connection to the step's host, through another where it is private. */
async function overSsh<T>(
  tools: ProvisionTools,
  read: Read,
  step: RotateHostKey,
  only: string | null,
  work: (remote: Remote, host: Host) => Promise<T>,
): Promise<T> {
  const via = step.via ? hostOf(await read(step.via), null) : null;
  const found = hostOf(await read(step.label), null);
  const ssh = { ...found.ssh, via: via?.name ?? null, ...(only ? { hostKeys: [only] } : {}) };
  const host = { ...found, ssh };
  const inventory: Inventory = { stack: tools.stack.stack, hosts: via ? [via, host] : [host] };
  const remote = tools.connect(inventory);
  try {
    return await work(remote, host);
  } finally {
    await remote.close();
  }
}

/** A Linode with its tags as they are now. */
type Read = (label: string) => Promise<ObservedLinode>;

/**
 * Addresses stay as they are while keys are rotated, so they are looked up once for each Linode; its tags are read by its
 * id. Of lists and look-ups by name the API gives 200 a minute, and ten hosts would need more.
 */
function reader({ client, stack }: ProvisionTools): Read {
  const known = new Map<string, ObservedLinode>();
  const find = lookup(client, stack.stack);
  return async (label) => {
    const before = known.get(label);
    if (before) return { ...before, tags: (await client.linode(before.id)).tags };
    const found = await readLinode(client, stack.stack, required(await find.linode(label), label));
    known.set(label, found);
    return found;
  };
}

/** The list of tags is replaced as a whole: it was read a moment ago, so that nobody's tag is lost. */
async function tag(
  { client }: ProvisionTools,
  { id, tags: before }: ObservedLinode,
  fingerprints: readonly string[],
  mark?: string,
): Promise<void> {
  const tags = withFingerprints(before, fingerprints);
  await client.updateLinode(id, { tags: mark && !tags.includes(mark) ? [...tags, mark] : tags });
}
