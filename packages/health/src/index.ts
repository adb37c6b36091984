export { type Places, probesOf } from './from-spec.js';
export { gate, type GateOptions } from './gate.js';
export { type Evidence, judge } from './judge.js';
export { askHere } from './local.js';
export { askOn } from './on-host.js';
export {
  type Answer,
  type Ask,
  type AskOptions,
  BODY_LIMIT,
  type HttpProbe,
  type Percentile,
  type ProgramProbe,
  type Threshold,
  type TlsProbe,
  nameOf,
  type Probe,
  type Request,
  requestsOf,
  type TcpProbe,
} from './probe.js';
export { parseProbes, type ProbeSpec } from './spec.js';
export { type End, type Need, succeeded, type Try, type Verdict, verdictOf } from './verdict.js';
