// Set by build.mjs: the hash of the agent's sources.
declare const __SHOAL_BUILD__: string;

declare module '*.wgsl' {
  const source: string;
  export default source;
}
