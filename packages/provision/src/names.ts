import { type Stack, TIERS, type TierName } from '@perlstack/stack';

/*
 * What belongs to a stack is known by its names alone, there is no state file: Linodes and firewalls by tags and label,
 * the VPC, which can't be tagged, by label and description, placement groups by label and who is in them.
 */

const OWNER_TAG = 'perlstack';
const FINGERPRINT = 'sshfp:';

/** On a Linode whose host key was replaced by one that never left it. */
export const ROTATED_TAG = 'hostkey:rotated';

/** The tags of everything in a tier. */
export function tierTags(stack: string, tier: TierName): string[] {
  return [...stackTags(stack), `tier:${tier}`];
}

/** The tags of everything in a stack: what has not both is not of the stack. */
export function stackTags(stack: string): string[] {
  return [OWNER_TAG, `stack:${stack}`];
}

export function hasStackTags(stack: string, tags: readonly string[]): boolean {
  return stackTags(stack).every((tag) => tags.includes(tag));
}

/** `web-1`: what people call a host. */
export const hostName = (tier: TierName, number: number): string => `${tier}-${number}`;

/** `shop-web-1`: label of its Linode. */
export const linodeLabel = (stack: string, tier: TierName, number: number): string =>
  `${stack}-${hostName(tier, number)}`;

/** Tier and number of a label of this stack, else `null`. */
export function parseLabel(stack: string, label: string): { tier: TierName; number: number } | null {
  const prefix = `${stack}-`;
  const match = label.startsWith(prefix)
    ? /^([a-z]+)-([1-9]\d{0,3})$/.exec(label.slice(prefix.length))
    : null;
  const tier = TIERS.find((name) => name === match?.[1]);
  return tier ? { tier, number: Number(match?.[2]) } : null;
}

/** Label of a tier's firewall: 3 to 32 characters, unique in the account. */
export const firewallLabel = (stack: string, tier: TierName): string => `${stack}-${tier}`;

/** Label of the NodeBalancer, and of its firewall; no tier has this name. */
export const balancerLabel = (stack: string): string => `${stack}-entry`;

/** The tags of the NodeBalancer and of its firewall. */
export const entryTags = (stack: string): string[] => tierTags(stack, 'web');

/** Whether a node of a NodeBalancer has the name of a web host: what has not was added by somebody else. */
export const isWebHost = (label: string): boolean => /^web-[1-9]\d{0,3}$/.test(label);

/** Label of a tier's placement group; marked more than the others because it can't be tagged. */
export const placementLabel = (stack: string, tier: TierName): string => `perlstack-${stack}-${tier}`;

export const vpcLabel = (stack: Pick<Stack, 'stack'>): string => stack.stack;
export const vpcDescription = (stack: string): string => stackTags(stack).join(' ');

/** `SHA256:<base64>` as a tag; a tag holds 50 characters, and neither `+` nor `/` is sure to survive in a filter. */
export function fingerprintTag(fingerprint: string): string {
  return (
    FINGERPRINT +
    fingerprint
      .replace(/^SHA256:/, '')
      .replaceAll('+', '-')
      .replaceAll('/', '_')
  );
}

/** The fingerprints that the tags of a Linode hold, as `SHA256:<base64>`. */
export function fingerprintsOf(tags: readonly string[]): string[] {
  return tags
    .filter((tag) => tag.startsWith(FINGERPRINT))
    .map((tag) => `SHA256:${tag.slice(FINGERPRINT.length).replaceAll('-', '+').replaceAll('_', '/')}`)
    .filter((fingerprint) => /^SHA256:[A-Za-z0-9+/]{43}$/.test(fingerprint));
}

/** The tags with their fingerprints replaced by others; what other people tagged stays. */
export function withFingerprints(tags: readonly string[], fingerprints: readonly string[]): string[] {
  return [...tags.filter((tag) => !tag.startsWith(FINGERPRINT)), ...fingerprints.map(fingerprintTag)];
}
