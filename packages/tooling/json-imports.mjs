// A jest transform for packages that import JSON without saying so, as bundlers allow and Node does not.
const JSON_IMPORT = /(\bfrom\s+["'][^"']+\.json["'])(?!\s*with\b)/g;

export default {
  process: (source) => ({ code: source.replace(JSON_IMPORT, '$1 with { type: "json" }') }),
};
