import * as api from '@linode/api-v4';
import { UserError } from '@perlstack/stack';
import { Budget } from './budget.js';
import { type Clock, realClock } from './clock.js';
import { LinodeApiError } from './errors.js';
import { EventWatcher, type WaitOptions } from './events.js';
import { withRetry } from './retry.js';
import { type Attempt, attemptOnce } from './transport.js';
import type * as T from './types.js';

export interface ClientOptions {
  readonly token: string;
  /** Default: `LINODE_API_URL`, else `https://api.linode.com`. A version at its end is ignored. */
  readonly baseUrl?: string;
  readonly signal?: AbortSignal;
  readonly clock?: Clock;
  /** How often events are asked for; default 3 s. */
  readonly pollMs?: number;
  /** Time limit of one request, default 60 s. */
  readonly timeoutMs?: number;
}

/** What a plan needs: nothing here can change anything. */
export interface LinodeReader {
  /** The scopes that the API said the token has (`linodes:read_write events:read_only`, or `*`); `null` before it said so. */
  scopes(): string | null;
  /** Everything in a collection, page by page; `path` is without version: `/linode/instances`. */
  getAll<R>(path: string, filter?: T.Filter): Promise<R[]>;
  regions(): Promise<T.Region[]>;
  /** Which plans are on sale in a region, where that is restricted. */
  availability(region: string): Promise<T.RegionAvailability[]>;
  types(): Promise<T.LinodeType[]>;
  image(id: string): Promise<T.Image>;
  images(): Promise<T.Image[]>;
  linodes(filter?: T.Filter): Promise<T.Linode[]>;
  linode(id: number): Promise<T.Linode>;
  interfaces(linodeId: number): Promise<T.LinodeInterface[]>;
  vpcs(filter?: T.Filter): Promise<T.VPC[]>;
  vpc(id: number): Promise<T.VPC>;
  firewalls(filter?: T.Filter): Promise<T.Firewall[]>;
  placementGroups(filter?: T.Filter): Promise<T.PlacementGroup[]>;
  /** What NodeBalancers cost. */
  nodeBalancerTypes(): Promise<T.PriceType[]>;
  nodeBalancers(filter?: T.Filter): Promise<T.NodeBalancer[]>;
  nodeBalancerPorts(id: number): Promise<T.NodeBalancerPort[]>;
  balancerNodes(balancer: number, port: number): Promise<T.BalancerNode[]>;
  /** What Object Storage costs. */
  storageTypes(): Promise<T.PriceType[]>;
  storageEndpoints(): Promise<T.ObjectStorageEndpoint[]>;
  buckets(): Promise<T.ObjectStorageBucket[]>;
  /** The newest events first; at the most `limit` (25 to 500). */
  events(filter?: T.Filter, limit?: number): Promise<T.Event[]>;
  /**
   * Waits until a Linode is at rest: no event of it is scheduled or started.
   *
   * @throws EventFailed when an action failed or the deadline passed.
   */
  waitForLinode(id: number, options?: WaitOptions): Promise<void>;
  /** The same client, whose requests end when this signal is aborted. */
  withSignal(signal: AbortSignal): LinodeReader;
}

/**
 * What an apply needs. Whatever makes something is never repeated blindly: it throws UncertainOutcome when the answer
 * was lost. Deletions of what is gone already succeed.
 */
export interface LinodeClient extends LinodeReader {
  createLinode(linode: T.NewLinode): Promise<T.Linode>;
  updateLinode(id: number, change: { label?: string; tags?: readonly string[] }): Promise<T.Linode>;
  bootLinode(id: number): Promise<void>;
  deleteLinode(id: number): Promise<void>;
  createVpc(vpc: T.CreateVPCPayload): Promise<T.VPC>;
  deleteVpc(id: number): Promise<void>;
  createSubnet(vpcId: number, subnet: T.CreateSubnetPayload): Promise<T.Subnet>;
  deleteSubnet(vpcId: number, id: number): Promise<void>;
  createFirewall(firewall: T.NewFirewall): Promise<T.Firewall>;
  updateFirewall(
    id: number,
    change: { status?: 'enabled' | 'disabled'; tags?: readonly string[] },
  ): Promise<T.Firewall>;
  replaceRules(firewallId: number, rules: T.RuleSet): Promise<void>;
  /** Puts a Linode Interface under a firewall. */
  attachFirewall(firewallId: number, interfaceId: number): Promise<void>;
  deleteFirewall(id: number): Promise<void>;
  createPlacementGroup(group: T.NewPlacementGroup): Promise<T.PlacementGroup>;
  assignPlacement(groupId: number, linodeId: number): Promise<void>;
  deletePlacementGroup(id: number): Promise<void>;
  createNodeBalancer(balancer: T.NewNodeBalancer): Promise<T.NodeBalancer>;
  updateNodeBalancer(id: number, change: { tags?: readonly string[] }): Promise<T.NodeBalancer>;
  /** Puts a NodeBalancer under this firewall and no other. */
  guardNodeBalancer(id: number, firewallId: number): Promise<void>;
  deleteNodeBalancer(id: number): Promise<void>;
  createNodeBalancerPort(
    balancer: number,
    port: T.TcpPortSettings & { port: number },
  ): Promise<T.NodeBalancerPort>;
  updateNodeBalancerPort(balancer: number, id: number, port: T.TcpPortSettings): Promise<T.NodeBalancerPort>;
  deleteNodeBalancerPort(balancer: number, id: number): Promise<void>;
  createBalancerNode(balancer: number, port: number, node: T.NewBalancerNode): Promise<T.BalancerNode>;
  deleteBalancerNode(balancer: number, port: number, id: number): Promise<void>;
  createBucket(bucket: T.NewBucket): Promise<T.ObjectStorageBucket>;
  withSignal(signal: AbortSignal): LinodeClient;
}

/** A client that can only read. @throws UserError when token or address are no such thing. */
export function createReader(options: ClientOptions): LinodeReader {
  return reader(connection(options));
}

/** A client that can write as well. @throws UserError when token or address are no such thing. */
export function createClient(options: ClientOptions): LinodeClient {
  return client(connection(options));
}

type Call = <R>(request: () => Promise<R>) => Promise<R>;

/** What all clients of one token share; the token itself stays inside of the closures. */
interface Connection {
  readonly call: Call;
  scopes(): string | null;
  waitForLinode(id: number, options: WaitOptions): Promise<void>;
  withSignal(signal: AbortSignal): Connection;
}

const PAGE_SIZE = 500;
const V4 = 'https://api.linode.com/v4beta';

function connection(options: ClientOptions): Connection {
  const { clock = realClock, timeoutMs = 60_000, pollMs = 3_000 } = options;
  const token = checkedToken(options.token);
  const baseUrl = checkedUrl(options.baseUrl ?? process.env.LINODE_API_URL ?? 'https://api.linode.com');
  const budget = new Budget(clock);
  let scopes: string | null = null;

  const bound = (signal: AbortSignal | undefined): Connection => {
    const call: Call = (request) =>
      withRetry(
        async (number) => {
          const attempt: Attempt = {
            ...{ token, baseUrl, timeoutMs, budget },
            ...(signal ? { signal } : {}),
            ...{ method: '', path: '', secrets: [token] },
          };
          try {
            return await attemptOnce(attempt, request);
          } catch (error) {
            if (number > 1 && isGone(error)) return {} as Awaited<ReturnType<typeof request>>;
            throw error;
          } finally {
            scopes = attempt.scopes ?? scopes;
          }
        },
        clock,
        signal,
      );
    return {
      call,
      scopes: () => scopes,
      waitForLinode: (id, wait) => watcher.wait(id, { ...(signal ? { signal } : {}), ...wait }),
      withSignal: (other) => bound(signal ? AbortSignal.any([signal, other]) : other),
    };
  };
  const root = bound(options.signal);
  const watcher = new EventWatcher((ids) => linodeEvents(root.call, ids), clock, pollMs);
  return root;
}

/** A deletion that is repeated because its answer was lost finds nothing more: it had its effect. */
function isGone(error: unknown): boolean {
  return error instanceof LinodeApiError && error.method === 'DELETE' && error.status === 404;
}

function reader(connection: Connection): LinodeReader {
  const { call } = connection;
  const list = <R>(page: Lister<R>, filter?: T.Filter): Promise<R[]> => allPages(call, page, filter);
  return {
    scopes: () => connection.scopes(),
    getAll: (path, filter) => list(listOf(path), filter),
    regions: () => list(api.getRegions),
    availability: (region) => call(() => api.getRegionAvailability(region)),
    types: () => list(api.getLinodeTypes),
    image: (id) => call(() => api.getImage(id)),
    images: () => list(api.getImages),
    linodes: (filter) => list(api.getLinodes, filter),
    linode: (id) => call(() => api.getLinode(id)),
    interfaces: async (id) => (await call(() => api.getLinodeInterfaces(id))).interfaces,
    vpcs: (filter) => list(api.getVPCs, filter),
    vpc: (id) => call(() => api.getVPC(id)),
    firewalls: (filter) => list(api.getFirewalls, filter),
    placementGroups: (filter) => list(api.getPlacementGroups, filter),
    nodeBalancerTypes: () => list(api.getNodeBalancerTypes),
    nodeBalancers: (filter) => list(api.getNodeBalancers, filter),
    // The package's functions for these are made for its forms, and split the addresses of nodes.
    nodeBalancerPorts: (id) => list(listOf(`/nodebalancers/${id}/configs`)),
    balancerNodes: (balancer, port) => list(listOf(`/nodebalancers/${balancer}/configs/${port}/nodes`)),
    storageTypes: () => list(api.getObjectStorageTypes),
    storageEndpoints: () => list(listOf('/object-storage/endpoints')),
    buckets: () => list(api.getBuckets),
    events: (filter, limit) => newestEvents(call, filter, limit),
    waitForLinode: (id, options = {}) => connection.waitForLinode(id, options),
    withSignal: (signal) => reader(connection.withSignal(signal)),
  };
}

/*
 * Bodies go through `baseRequest` with the types of the package: its own functions validate them, and refuse what the
 * API takes (a Linode without root password) or drop parts of it. Reads and deletions use its functions.
 */
function client(connection: Connection): LinodeClient {
  const { call } = connection;
  const send = <R>(method: 'POST' | 'PUT', path: string, data?: unknown): Promise<R> =>
    call(async () => (await api.baseRequest.request<R>({ method, url: `${V4}${path}`, data })).data);
  const post = <R>(path: string, data?: unknown): Promise<R> => send<R>('POST', path, data);
  const put = <R>(path: string, data: unknown): Promise<R> => send<R>('PUT', path, data);
  const remove = async (request: () => Promise<unknown>): Promise<void> => {
    await call(request).catch((error: unknown) => {
      if (!isGone(error)) throw error;
    });
  };
  return {
    ...reader(connection),
    createLinode: (linode) => post('/linode/instances', linode),
    updateLinode: (id, change) => put(`/linode/instances/${id}`, change),
    bootLinode: (id) => post(`/linode/instances/${id}/boot`, {}),
    deleteLinode: (id) => remove(() => api.deleteLinode(id)),
    createVpc: (vpc) => post('/vpcs', vpc),
    deleteVpc: (id) => remove(() => api.deleteVPC(id)),
    createSubnet: (vpcId, subnet) => post(`/vpcs/${vpcId}/subnets`, subnet),
    deleteSubnet: (vpcId, id) => remove(() => api.deleteSubnet(vpcId, id)),
    createFirewall: (firewall) => post('/networking/firewalls', firewall),
    updateFirewall: (id, change) => put(`/networking/firewalls/${id}`, change),
    replaceRules: async (id, rules) => void (await put(`/networking/firewalls/${id}/rules`, rules)),
    attachFirewall: async (id, interfaceId) =>
      void (await post(`/networking/firewalls/${id}/devices`, { type: 'linode_interface', id: interfaceId })),
    deleteFirewall: (id) => remove(() => api.deleteFirewall(id)),
    createPlacementGroup: (group) => post('/placement/groups', group),
    assignPlacement: async (id, linodeId) =>
      void (await post(`/placement/groups/${id}/assign`, { linodes: [linodeId], compliant_only: false })),
    deletePlacementGroup: (id) => remove(() => api.deletePlacementGroup(id)),
    ...balancerWrites(post, put, remove),
    createBucket: (bucket) => post('/object-storage/buckets', bucket),
    withSignal: (signal) => client(connection.withSignal(signal)),
  };
}

type Send = <R>(path: string, data?: unknown) => Promise<R>;

function balancerWrites(post: Send, put: Send, remove: (request: () => Promise<unknown>) => Promise<void>) {
  return {
    createNodeBalancer: (balancer) => post('/nodebalancers', balancer),
    updateNodeBalancer: (id, change) => put(`/nodebalancers/${id}`, change),
    guardNodeBalancer: async (id, firewall) =>
      void (await put(`/nodebalancers/${id}/firewalls`, { firewall_ids: [firewall] })),
    deleteNodeBalancer: (id) => remove(() => api.deleteNodeBalancer(id)),
    createNodeBalancerPort: (balancer, port) => post(`/nodebalancers/${balancer}/configs`, port),
    updateNodeBalancerPort: (balancer, id, port) => put(`/nodebalancers/${balancer}/configs/${id}`, port),
    deleteNodeBalancerPort: (balancer, id) => remove(() => api.deleteNodeBalancerConfig(balancer, id)),
    createBalancerNode: (balancer, port, node) =>
      post(`/nodebalancers/${balancer}/configs/${port}/nodes`, node),
    deleteBalancerNode: (balancer, port, id) =>
      remove(() => api.deleteNodeBalancerConfigNode(balancer, port, id)),
  } satisfies Partial<LinodeClient>;
}

interface Page<R> {
  readonly data: R[];
  readonly pages: number;
}
type Lister<R> = (params: { page: number; page_size: number }, filter?: T.Filter) => Promise<Page<R>>;

async function allPages<R>(call: Call, page: Lister<R>, filter?: T.Filter): Promise<R[]> {
  const all: R[] = [];
  for (let number = 1; ; number += 1) {
    const { data, pages } = await call(() => page({ page: number, page_size: PAGE_SIZE }, filter));
    all.push(...data);
    if (number >= pages) return all;
  }
}

function listOf<R>(path: string): Lister<R> {
  return async (params, filter) => {
    const headers = filter ? { 'X-Filter': JSON.stringify(filter) } : {};
    return (await api.baseRequest.get<Page<R>>(`${V4}${path}`, { params, headers })).data;
  };
}

async function newestEvents(call: Call, filter: T.Filter = {}, limit = 100): Promise<T.Event[]> {
  const ordered = { ...filter, '+order_by': 'created', '+order': 'desc' } as T.Filter;
  const { data } = await call(() =>
    api.getEvents({ page: 1, page_size: Math.min(Math.max(limit, 25), PAGE_SIZE) }, ordered),
  );
  // Events of one second come in any order.
  return data.sort((a, b) => b.id - a.id);
}

function linodeEvents(call: Call, ids: readonly number[]): Promise<T.Event[]> {
  const which = ids.map((id) => ({ 'entity.id': id }));
  const filter = which.length === 1 ? which[0] : { '+or': which };
  return newestEvents(call, { 'entity.type': 'linode', ...filter }, PAGE_SIZE);
}

function checkedToken(token: string): string {
  const trimmed = token.trim();
  if (trimmed === '') throw new UserError('The Linode token is empty: pass the secret that holds it');
  // Anything else would be refused by the HTTP client in words that repeat it.
  if (!/^[\x21-\x7e]+$/.test(trimmed))
    throw new UserError('The Linode token holds characters that no token has: pass it as it was shown');
  return trimmed;
}

function checkedUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (!url || !/^https?:$/.test(url.protocol)) {
    throw new UserError(
      `LINODE_API_URL is no address of a server: found "${text}", expected one such as https://api.linode.com`,
    );
  }
  return `${url.origin}${url.pathname}`.replace(/\/+$/, '').replace(/\/v4(beta)?$/, '');
}
