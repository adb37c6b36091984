import { realClock } from '@perlstack/linode';
import type { Handler, StepContext } from '@perlstack/procedure';
import { ConnectError, type Remote } from '@perlstack/remote';
import { type Host, type Inventory, UserError } from '@perlstack/stack';
import { hostOf } from './inventory.js';
import { lookup, required } from './lookup.js';
import { ROTATED_TAG, withFingerprints } from './names.js';
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
  return {
    check: async ({ label }) => required(await find.linode(label), label).tags.includes(ROTATED_TAG),
    run: async (step, context) => {
      const fresh = await prepare(tools, step, context);
      const before = await readHost(tools, step.label);
      await tag(tools, step.label, [...new Set([...before.ssh.hostKeys, fresh])]);
      await overSsh(tools, step, null, async (remote, { name }) => {
        await remote.script(name, INSTALL, [], {
          sudo: true,
          name: 'new host key',
          signal: context.signal,
          timeoutMs: 60_000,
        });
      });
      await verify(tools, step, fresh, context);
      await tag(tools, step.label, [fresh], ROTATED_TAG);
      return fresh;
    },
  };
}

async function prepare(tools: ProvisionTools, step: RotateHostKey, { signal }: StepContext): Promise<string> {
  return overSsh(tools, step, null, async (remote, { name }) => {
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
  tools: ProvisionTools,
  step: RotateHostKey,
  fresh: string,
  { signal }: StepContext,
): Promise<void> {
  const { clock = realClock } = tools;
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await overSsh(tools, step, fresh, async (remote, { name }) => {
        await remote.run(name, ['true'], { signal });
      });
    } catch (error) {
      const early = error instanceof ConnectError && error.reason === 'wrong-host-key';
      if (!early || attempt === VERIFY_TRIES) throw error;
      await clock.sleep(500, signal);
    }
  }
}

/**
 * Does something over a connection of its own to a host, through another where it is private.
 *
 * @param only the one host key to accept; `null` for those that the tags hold
 */
async function overSsh<T>(
  tools: ProvisionTools,
  step: RotateHostKey,
  only: string | null,
  work: (remote: Remote, host: Host) => Promise<T>,
): Promise<T> {
  const via = step.via ? await readHost(tools, step.via) : null;
  const found = await readHost(tools, step.label);
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

async function readHost({ client, stack }: ProvisionTools, label: string): Promise<Host> {
  const linode = required(await lookup(client, stack.stack).linode(label), label);
  return hostOf(await readLinode(client, stack.stack, linode), null);
}

/** The list of tags is replaced as a whole: it is read anew, so that nobody's tag is lost. */
async function tag(
  { client, stack }: ProvisionTools,
  label: string,
  fingerprints: readonly string[],
  mark?: string,
): Promise<void> {
  const linode = required(await lookup(client, stack.stack).linode(label), label);
  const tags = withFingerprints(linode.tags, fingerprints);
  await client.updateLinode(linode.id, { tags: mark && !tags.includes(mark) ? [...tags, mark] : tags });
}
