import type { JsonObject } from '../json.js';

/** Prices in USD. Of network transfer, a GB beyond what the plans include, as `hourly`. */
export const TRANSFER_PRICES: readonly JsonObject[] = [
  {
    id: 'network_transfer',
    label: 'Network Transfer',
    price: { hourly: 0.005, monthly: null },
    region_prices: [
      { id: 'id-cgk', hourly: 0.015, monthly: null },
      { id: 'br-gru', hourly: 0.007, monthly: null },
    ],
    transfer: 0,
  },
  {
    id: 'distributed_network_transfer',
    label: 'Distributed Network Transfer',
    price: { hourly: 0.01, monthly: null },
    region_prices: [],
    transfer: 0,
  },
];

export const NODEBALANCER_TYPES: readonly JsonObject[] = [
  {
    id: 'nodebalancer',
    label: 'NodeBalancer',
    price: { hourly: 0.015, monthly: 10 },
    region_prices: [
      { id: 'id-cgk', hourly: 0.018, monthly: 12 },
      { id: 'br-gru', hourly: 0.021, monthly: 14 },
    ],
    transfer: 0,
  },
  {
    id: 'nodebalancer-pr100',
    label: 'Nodebalancer Premium',
    price: { hourly: 0.225, monthly: 150 },
    region_prices: [
      { id: 'br-gru', hourly: 0.315, monthly: 210 },
      { id: 'id-cgk', hourly: 0.27, monthly: 180 },
    ],
    transfer: 0,
  },
];

/** What an account with Object Storage pays, and a GB beyond what that includes, a month of it as `hourly`. */
export const STORAGE_TYPES: readonly JsonObject[] = [
  {
    id: 'objectstorage',
    label: 'Object Storage',
    price: { hourly: 0.0075, monthly: 5 },
    region_prices: [
      { id: 'id-cgk', hourly: 0.0075, monthly: 5 },
      { id: 'br-gru', hourly: 0.0075, monthly: 5 },
    ],
    transfer: 1000,
  },
  {
    id: 'objectstorage-overage',
    label: 'Object Storage Overage',
    price: { hourly: 0.02, monthly: null },
    region_prices: [
      { id: 'id-cgk', hourly: 0.024, monthly: null },
      { id: 'br-gru', hourly: 0.028, monthly: null },
    ],
    transfer: 0,
  },
];

export const VOLUME_TYPES: readonly JsonObject[] = [
  {
    id: 'volume',
    label: 'Storage Volume',
    price: { hourly: 0.00015, monthly: 0.1 },
    region_prices: [
      { id: 'id-cgk', hourly: 0.00018, monthly: 0.12 },
      { id: 'br-gru', hourly: 0.00021, monthly: 0.14 },
    ],
    transfer: 0,
  },
];
