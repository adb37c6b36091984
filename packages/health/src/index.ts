export { authoritiesIn } from './ca.js';
export { type Places, probesOf, statusesIn } from './from-spec.js';
export { gate, type GateOptions } from './gate.js';
export {
  type Check,
  type Group,
  type GroupEvidence,
  leavesOf,
  type Need,
  succeeded,
  type Try,
} from './group.js';
export { type Evidence, judge } from './judge.js';
export { askHere } from './local.js';
export { askOn } from './on-host.js';
export { type Pace, whyNever } from './pace.js';
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
export { parseProbes, PROBE_KEYS, type ProbeSpec } from './spec.js';
export { type End, isGroup, type Verdict, verdictOf } from './verdict.js';
