// How fast wasm multiplies here. Never throws.
import type { Probe } from '../../engine/messages';
import { unrated } from '../benchmark';
import { benchmarkWasm } from './benchmark';

export async function probeWasm(): Promise<Probe> {
  return { benchmark: await benchmarkWasm().catch((error: unknown) => unrated('wasm', String(error))) };
}
