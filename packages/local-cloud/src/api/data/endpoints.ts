/** A place where Object Storage has buckets; some regions have two, of different generations. */
export interface StorageEndpoint {
  readonly region: string;
  readonly endpoint_type: EndpointType;
  /** `null` where the account has none yet. */
  readonly s3_endpoint: string | null;
}

/** The generations, oldest first. */
export const ENDPOINT_TYPES = ['E0', 'E1', 'E2', 'E3'] as const;

export type EndpointType = (typeof ENDPOINT_TYPES)[number];

/** By region, as the keys of an account list them. The hosts' names do not follow the regions'. */
const TABLE: readonly (readonly [string, EndpointType, string | null])[] = [
  ['ap-south', 'E0', 'ap-south-1'],
  ['au-mel', 'E2', 'au-mel-1'],
  ['br-gru', 'E1', 'br-gru-1'],
  ['de-fra-2', 'E3', 'de-fra-1'],
  ['es-mad', 'E1', 'es-mad-1'],
  ['eu-central', 'E0', 'eu-central-1'],
  ['fr-par', 'E1', 'fr-par-1'],
  ['gb-lon', 'E3', 'gb-lon-1'],
  ['id-cgk', 'E1', 'id-cgk-1'],
  ['in-maa', 'E1', 'in-maa-1'],
  ['it-mil', 'E1', 'it-mil-1'],
  ['jp-osa', 'E1', 'jp-osa-1'],
  ['jp-tyo-3', 'E3', 'jp-tyo-1'],
  ['nl-ams', 'E1', 'nl-ams-1'],
  ['se-sto', 'E1', 'se-sto-1'],
  ['sg-sin-2', 'E3', 'sg-sin-1'],
  ['us-east', 'E0', 'us-east-1'],
  ['us-iad', 'E1', 'us-iad-1'],
  ['us-iad-2', 'E3', null],
  ['us-lax', 'E1', 'us-lax-1'],
  ['us-lax', 'E3', 'us-lax-4'],
  ['us-mia', 'E1', 'us-mia-1'],
  ['us-ord', 'E1', 'us-ord-1'],
  ['us-ord', 'E3', 'us-ord-10'],
  ['us-sea', 'E1', 'us-sea-1'],
  ['us-southeast', 'E0', 'us-southeast-1'],
];

export const STORAGE_ENDPOINTS: readonly StorageEndpoint[] = TABLE.map(([region, endpoint_type, host]) => ({
  region,
  endpoint_type,
  s3_endpoint: host === null ? null : `${host}.linodeobjects.com`,
}));
