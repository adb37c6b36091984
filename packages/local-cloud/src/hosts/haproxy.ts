import type { BalancerCheck, BalancerNode, BalancerPort, BalancerSpec, NodeHealth } from '../driver.js';

/** What a configuration of HAProxy is made of besides the NodeBalancer itself. */
export interface HaproxySettings {
  /** Goes up with every change; the program says which one it runs. */
  readonly generation: number;
  /** Path of the socket for questions. */
  readonly socket: string;
  /** Path of the file from which a new process takes over what the old one's checks have found. */
  readonly state: string;
}

/**
 * Linode says of its limits only how many connections there may be (10,000); a machine may allow no more than 20,000 open
 * files, and each takes two.
 */
const MAX_CONNECTIONS = 9_000;

/** HAProxy's configuration for a NodeBalancer. */
export function haproxyConfig(balancer: BalancerSpec, settings: HaproxySettings): string {
  const [listen] = balancer.interfaces.filter(({ kind }) => kind === 'public');
  const address = listen?.ipv4 ?? '';
  const sections = [
    ['global', ...globals(settings)],
    ['defaults', ...DEFAULTS],
    ...(balancer.throttle > 0 ? [throttleTable()] : []),
    ...balancer.ports.map((port) => [`listen config-${port.id}`, ...portLines(balancer, port, address)]),
  ];
  return sections
    .map(([name, ...lines]) => `${name}\n${lines.map((line) => `  ${line}\n`).join('')}`)
    .join('\n');
}

function globals({ generation, socket, state }: HaproxySettings): string[] {
  return [
    `description "${GENERATION}${generation}"`,
    'nbthread 1',
    `maxconn ${MAX_CONNECTIONS}`,
    'no strict-limits',
    `stats socket ${socket} mode 600 level admin expose-fd listeners`,
    `server-state-file ${state}`,
  ];
}

/*
 * How long a real NodeBalancer waits is not published. A connection that does not come about is tried on another node;
 * one to a machine that has vanished is closed when neither data nor a sign of life were acknowledged for ten seconds.
 */
const DEFAULTS = [
  'load-server-state-from-file global',
  'timeout connect 2s',
  'timeout client 5m',
  'timeout server 5m',
  'retries 3',
  'option redispatch 1',
  'option srvtcpka',
  'srvtcpka-idle 5s',
  'srvtcpka-intvl 2s',
  'srvtcpka-cnt 3',
];
const UNACKNOWLEDGED = 'tcp-ut 10s';

function throttleTable(): string[] {
  return ['backend throttle', 'stick-table type ip size 100k expire 10s store conn_rate(1s)'];
}

function portLines(balancer: BalancerSpec, port: BalancerPort, address: string): string[] {
  return [
    `bind ${address}:${port.port}`,
    `mode ${port.protocol}`,
    `balance ${port.algorithm}`,
    ...(port.protocol === 'http' ? FORWARDED : []),
    ...throttleLines(balancer.throttle),
    ...stickinessLines(port),
    ...checkLines(port.check),
    ...port.nodes.map((node, index) => nodeLine(balancer, port, node, index)),
  ];
}

const FORWARDED = ['option forwardfor', 'http-request set-header X-Forwarded-Proto http'];

function throttleLines(limit: number): string[] {
  if (limit === 0) return [];
  return [
    'tcp-request connection track-sc0 src table throttle',
    `tcp-request connection reject if { sc0_conn_rate gt ${limit} }`,
  ];
}

function stickinessLines({ stickiness, protocol }: BalancerPort): string[] {
  if (stickiness === 'table') return ['stick-table type ip size 100k expire 30m', 'stick on src'];
  return isCookie(stickiness, protocol) ? ['cookie NB_SRVID insert indirect nocache'] : [];
}

const isCookie = (stickiness: string, protocol: string): boolean =>
  stickiness === 'http_cookie' && protocol === 'http';

function checkLines({ kind, timeoutSeconds, path, body }: BalancerCheck): string[] {
  const timeout = [`timeout check ${timeoutSeconds}s`];
  if (kind === 'none') return [];
  if (kind === 'connection') return timeout;
  const expected = kind === 'http' ? 'rstatus ^[23]' : `rstring ${quoted(body)}`;
  return [
    ...timeout,
    'option httpchk',
    `http-check send meth GET uri ${quoted(path)}`,
    `http-check expect ${expected}`,
  ];
}

function nodeLine(balancer: BalancerSpec, port: BalancerPort, node: BalancerNode, index: number): string {
  const source = balancer.sources[index % Math.max(balancer.sources.length, 1)];
  return [
    `server ${serverName(node)} ${node.address}:${node.port}`,
    `weight ${node.mode === 'drain' ? 0 : node.weight}`,
    ...checkWords(port),
    ...(source === undefined ? [] : [`source ${source}`]),
    ...(port.proxyProtocol === 'none' ? [] : [port.proxyProtocol === 'v1' ? 'send-proxy' : 'send-proxy-v2']),
    ...(isCookie(port.stickiness, port.protocol) ? [`cookie ${node.id}`] : []),
    ...(node.mode === 'backup' ? ['backup'] : []),
    ...(node.mode === 'reject' ? ['disabled'] : []),
    UNACKNOWLEDGED,
  ].join(' ');
}

function checkWords({ check, protocol }: BalancerPort): string[] {
  if (check.kind === 'none') return [];
  const passive =
    check.passive && protocol === 'http' ? ['observe layer7 error-limit 1 on-error mark-down'] : [];
  return [`check inter ${check.intervalSeconds}s fall ${check.attempts}`, ...passive];
}

/** A node that gets another address is another server to HAProxy: what it knew of the old one does not hold. */
function serverName({ id, address, port }: BalancerNode): string {
  return `${id}_${address}_${port}`;
}

/** @throws Error for text that no quotes can hold */
function quoted(text: string): string {
  if (/[\r\n\0]/.test(text)) throw new Error('a path or text of a check must be one line');
  return `"${text.replaceAll(/["\\$]/g, (sign) => `\\${sign}`)}"`;
}

const GENERATION = 'generation ';

/** Which generation of its configuration HAProxy runs, by its answer to `show info`; `null` for any other answer. */
export function runningGeneration(info: string): number | null {
  const [, number] = new RegExp(`^description: ${GENERATION}(\\d+)$`, 'im').exec(info) ?? [];
  return number === undefined ? null : Number(number);
}

/** Which nodes are up and which down, by HAProxy's answer to `show stat`; those that were not checked yet are left out. */
export function nodeHealth(stat: string): Map<number, NodeHealth> {
  const [header = '', ...rows] = stat.replace(/^# /, '').trim().split('\n');
  const names = header.split(',');
  const cell = (row: string, name: string): string => row.split(',')[names.indexOf(name)] ?? '';
  return new Map(
    rows.flatMap((row): [number, NodeHealth][] => {
      const [, id] = /^(\d+)_/.exec(cell(row, 'svname')) ?? [];
      const health = healthOf(cell(row, 'status'), cell(row, 'check_status'));
      return id === undefined || health === null ? [] : [[Number(id), health]];
    }),
  );
}

/** `DOWN 1/2` is down still, and a status with a star is the last one while a check is under way. */
function healthOf(status: string, lastCheck: string): NodeHealth | null {
  const unchecked = ['', 'INI', 'UNK'].includes(lastCheck.replace(/^\* */, ''));
  if (unchecked || status === 'MAINT' || status === 'no check') return null;
  return status.startsWith('DOWN') ? 'DOWN' : 'UP';
}
