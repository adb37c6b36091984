import { isProvisioned, TIERS } from '@perlstack/stack';
import { headingOf, textFile } from '../files.js';
import { command, comment, printSudoers, sudoersLine, userName } from '../print/sudoers.js';
import type { Renderer } from '../world.js';

const ROOT = '/etc/sudoers.d';
const FILE = `${ROOT}/90-perlstack`;

/**
 * What the user of the workflow may do as root on a Linode of ours: run scripts, the one form in which every command
 * of ours comes, as root and as nobody else. That is all that root can do, on purpose: whoever makes a host what it is
 * to be has to be root. What is gone is cloud-init's rule for any command as any user, and with it what somebody does
 * by habit or mistake rather than on purpose.
 *
 * A server that existed before keeps its own rules; its user was given sudo by somebody else.
 */
export const sudo: Renderer = ({ stack }, host) => {
  const ours = TIERS.some((tier) => tier === host.tier && isProvisioned(stack, tier));
  if (!ours || host.ssh.user === 'root') return null;
  const user = userName(host.ssh.user);
  const content = printSudoers([
    comment(headingOf(stack, host)),
    comment(
      'A script may do anything: this user is root by way of it, because it makes this host what it is to be.',
    ),
    sudoersLine`Defaults:${user} env_reset, !setenv, !lecture, secure_path="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"`,
    comment('Every script is written to the journal, with its arguments; no secret is among them.'),
    sudoersLine`Defaults:${user} syslog=authpriv, log_allowed, log_denied`,
    sudoersLine`${user} ALL=(root) NOPASSWD: ${command(['/usr/bin/sh', '-c'], 'anything')}`,
  ]);
  return {
    service: {
      name: 'sudo',
      packages: ['sudo'],
      directories: [],
      files: [{ ...textFile(FILE, content), mode: 0o440 }],
      // Only once ours is in force: files come before removals.
      removes: [`${ROOT}/90-cloud-init-users`],
      roots: [ROOT],
      validate: [['visudo', '-cqf', '/etc/sudoers'], asUser(host.ssh.user)],
      unit: null,
      daemonReload: false,
      probe: [asUser(host.ssh.user)],
      guardsAccess: true,
    },
  };
};

/** Runs nothing the way everything is run. */
const asUser = (user: string): string[] => ['runuser', '-u', user, '--', 'sudo', '-n', '--', 'sh', '-c', ':'];
