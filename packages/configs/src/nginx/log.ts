import { directive, expression, type Expression, type Statement } from '../print/nginx.js';

type Field = readonly [name: string, value: Expression];

/** Fields of the access log and the nginx variables that fill them: strings, then numbers. */
const FIELDS: readonly Field[] = [
  ['time', expression`$time_iso8601`],
  ['client', expression`$remote_addr`],
  ['host', expression`$host`],
  ['method', expression`$request_method`],
  ['uri', expression`$request_uri`],
  ['scheme', expression`$scheme`],
  ['protocol', expression`$server_protocol`],
  ['referer', expression`$http_referer`],
  ['agent', expression`$http_user_agent`],
  // "000" for a client that left before it had spoken, so this is no number.
  ['status', expression`$status`],
  // Several attempts stand in one value, "502, 200", so these are no numbers.
  ['upstream', expression`$upstream_addr`],
  ['upstream_status', expression`$upstream_status`],
  ['upstream_connect_seconds', expression`$upstream_connect_time`],
  ['upstream_seconds', expression`$upstream_response_time`],
];

const NUMBERS: readonly Field[] = [
  ['bytes', expression`$body_bytes_sent`],
  ['seconds', expression`$request_time`],
];

/** One JSON object a line: whatever a client puts into its request can't break out of its field. */
export function accessLogFormat(requestId: Expression): Statement {
  const strings = [...FIELDS, ['request_id', requestId] as const];
  return directive(
    'log_format',
    'perlstack',
    'escape=json',
    ...strings.map(([name, value], at) => surrounded(`${at === 0 ? '{' : ''}"${name}":"`, value, '",')),
    ...NUMBERS.map(([name, value], at) =>
      surrounded(`"${name}":`, value, at === NUMBERS.length - 1 ? '}' : ','),
    ),
  );
}

function surrounded(before: string, value: Expression, after: string): Expression {
  return { expression: before + value.expression + after };
}
