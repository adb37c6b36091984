import type { Fields } from './fields.js';

/** How the labels of one kind of thing may look. */
export interface LabelRule {
  readonly least: number;
  readonly most: number;
  readonly pattern: RegExp;
  readonly reason: string;
  /** `linodes` in `Label must be unique among your linodes`. */
  readonly among: string;
}

const COMMON = /^[A-Za-z0-9]([A-Za-z0-9]|[-_.](?![-_.]))*$/;

/** Linodes, firewalls, NodeBalancers and placement groups: no two dashes, underscores or periods in a row. */
const COMMON_REASON = 'Must only use ASCII letters, numbers, underscores, dashes, and periods';

export const LINODE_LABEL: LabelRule = {
  least: 3,
  most: 64,
  pattern: /^(?!.*(--|__|\.\.))[A-Za-z0-9][A-Za-z0-9_.-]*$/,
  reason: COMMON_REASON,
  among: 'linodes',
};

export const FIREWALL_LABEL: LabelRule = {
  least: 3,
  most: 32,
  pattern: COMMON,
  reason: COMMON_REASON,
  among: 'firewalls',
};

export const NODEBALANCER_LABEL: LabelRule = {
  least: 3,
  most: 32,
  pattern: /^[A-Za-z0-9_-]+$/,
  reason: COMMON_REASON,
  among: 'NodeBalancers',
};

export const PLACEMENT_GROUP_LABEL: LabelRule = {
  least: 1,
  most: 64,
  pattern: COMMON,
  reason: COMMON_REASON,
  among: 'placement groups',
};

/** Dashes are what is allowed, although the API's text says underscores. */
export const VPC_LABEL: LabelRule = {
  least: 1,
  most: 64,
  pattern: /^(?!.*--)[A-Za-z0-9-]+$/,
  reason: 'Must only use ASCII letters, numbers, and underscores',
  among: 'VPCs',
};

export const SUBNET_LABEL: LabelRule = { ...VPC_LABEL, among: 'subnets' };

/** Reads and checks `label`; `others` are the labels that are taken. */
export function readLabel(fields: Fields, rule: LabelRule, others: Iterable<string>): string | undefined {
  const label = fields.string('label');
  if (label === undefined) return undefined;
  if (label.length < rule.least || label.length > rule.most) {
    fields.fail(`Length must be ${rule.least}-${rule.most} characters`, 'label');
  } else if (!rule.pattern.test(label)) fields.fail(rule.reason, 'label');
  else if ([...others].includes(label)) fields.fail(`Label must be unique among your ${rule.among}`, 'label');
  return label;
}

/** As `readLabel`; a missing label is a fault. */
export function requireLabel(fields: Fields, rule: LabelRule, others: Iterable<string>): string {
  const label = readLabel(fields, rule, others);
  if (label === undefined && fields.raw('label') === undefined) fields.fail('label is required', 'label');
  return label ?? '';
}

/** The labels of all things but one. */
export function otherLabels(
  things: Iterable<{ readonly id: number; readonly label: string }>,
  except?: number,
): string[] {
  return [...things].filter((thing) => thing.id !== except).map((thing) => thing.label);
}

/** Reads and checks `tags`; `undefined` where they are not to change. Reserved addresses may have shorter ones. */
export function readTags(fields: Fields, least = 3): string[] | undefined {
  const tags = fields.strings('tags');
  if (tags?.some((tag) => tag.length < least || tag.length > 50)) {
    fields.fail(`Length must be ${least}-50 characters`, 'tags');
  }
  return tags === undefined ? undefined : [...new Set(tags)];
}
