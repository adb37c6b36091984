import { grants, type LinodeReader } from '@perlstack/linode';
import ipaddr from 'ipaddr.js';
import { isProvisioned, jumpTier, placeOf, settingsOf, type StackFile, TIERS, UserError } from '@perlstack/stack';
import { fault } from './catalogue.js';
import { layout } from './layout.js';
import { vpcDescription } from './names.js';
import type { Resources, Stranger } from './observed.js';

/**
 * What can be told from the stack file alone: tiers that contradict themselves, a network that Linode has no place for,
 * hosts that nobody could reach.
 */
export function checkFile(file: StackFile): void {
  checkTiers(file);
  checkNetwork(file);
}

function checkTiers(file: StackFile): void {
  const { stack } = file;
  for (const tier of TIERS) {
    const settings = settingsOf(stack, tier);
    if (settings?.hosts && settings.type) {
      throw fault(
        file,
        ['tiers', tier, 'type'],
        'the tier names servers that exist (hosts), which have no type; leave one of the two out',
      );
    }
    if (settings?.on && settings.hosts) {
      throw fault(
        file,
        ['tiers', tier, 'hosts'],
        'the role runs on the hosts of another tier (on); leave one of the two out',
      );
    }
    if (settings?.on && placeOf(stack, tier) === null) {
      throw fault(
        file,
        ['tiers', tier, 'on'],
        `the stack has no hosts for it: "${settings.on}" is no tier with hosts of its own`,
      );
    }
  }
}

function checkNetwork(file: StackFile): void {
  const { stack } = file;
  const [first, length] = ipaddr.IPv4.parseCIDR(stack.network.vpc);
  const [reserved, reservedLength] = ipaddr.IPv4.parseCIDR('192.168.128.0/17');
  if (first.match(reserved, Math.min(length, reservedLength))) {
    throw fault(
      file,
      ['network', 'vpc'],
      `${stack.network.vpc} overlaps 192.168.128.0/17, which Linode keeps for itself`,
    );
  }
  const hidden = TIERS.find((tier) => isProvisioned(stack, tier) && !stack.network.public.includes(tier));
  if (hidden && jumpTier(stack) === null) {
    throw fault(
      file,
      ['network', 'public'],
      `no tier of Linodes is public, so that SSH could reach ${hidden} through none; add web`,
    );
  }
}

/** @throws UserError when something foreign stands where the stack has to build. */
export function checkOwnership(file: StackFile, resources: Resources): void {
  const { stack } = file;
  const taken = resources.strangers.find((stranger) => isInTheWay(file, resources, stranger));
  if (taken) {
    const mark = taken.what === 'VPC' ? `description "${vpcDescription(stack.stack)}"` : 'tags';
    throw fault(
      file,
      ['stack'],
      `there is a ${taken.what} "${taken.label}" (id ${taken.id}) without the ${mark} of this stack, so it belongs to somebody else; rename it, or choose another name for the stack`,
    );
  }
  const elsewhere = [...resources.linodes, ...(resources.vpc ? [resources.vpc] : [])].find(
    ({ region }) => region !== stack.region,
  );
  if (elsewhere) {
    throw fault(
      file,
      ['region'],
      `the stack stands in ${elsewhere.region} (${elsewhere.label}); a stack can't be moved: destroy it first, or give the new one another name`,
    );
  }
}

function isInTheWay(file: StackFile, { linodes }: Resources, stranger: Stranger): boolean {
  if (stranger.lacks !== 'tags') return false;
  if (stranger.what !== 'Linode') return true;
  const tiers = layout(file.stack, (tier) => linodes.filter((linode) => linode.tier === tier).length);
  return tiers.some(({ hosts }) => hosts.some(({ label }) => label === stranger.label));
}

const SCOPES_TO_READ = ['linodes:read_only', 'firewall:read_only', 'vpc:read_only', 'events:read_only'];
const SCOPES_TO_WRITE = ['linodes:read_write', 'firewall:read_write', 'vpc:read_write', 'events:read_only'];

/**
 * Asks for the right that is most easily forgotten, and compares the scopes that the API says the token has.
 *
 * @throws LinodeApiError for a token that is wrong; UserError naming every scope that is missing
 */
export async function checkToken(reader: LinodeReader, purpose: 'plan' | 'apply'): Promise<void> {
  await reader.events({}, 25);
  const has = reader.scopes();
  if (has === null) return;
  const missing = (purpose === 'apply' ? SCOPES_TO_WRITE : SCOPES_TO_READ).filter(
    (scope) => !grants(has, scope),
  );
  if (missing.length > 0) {
    throw new UserError(
      `The Linode token lacks the scope${missing.length > 1 ? 's' : ''} ${missing.join(', ')} (it has: ${has}): make one with ${missing.length > 1 ? 'them' : 'it'} under Profile > API Tokens in the Cloud Manager. Nothing was changed.`,
    );
  }
}
