// The reference models: each ONNX graph with the inputs of its first case and what PyTorch gave for them.
// Inputs that a case does not spell out (empty caches, positions, merged image and text embeddings) are made here the way
// a caller of that graph makes them.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DataType } from '../src/generated/shoal/agent/v1/agent_pb';
import type { Input } from './agent';

type Dim = number | string;
type Signature = Readonly<Record<string, readonly [string, readonly Dim[]]>>;

interface CaseFile {
  readonly name: string;
  readonly task: string;
  readonly tolerance: { readonly fp32: { readonly rtol: number; readonly atol: Readonly<Record<string, number>> } };
  readonly onnx: Readonly<Record<string, { readonly inputs: Signature; readonly outputs: Signature }>>;
  readonly cases: readonly { readonly name: string; readonly file: string }[];
}

export interface Array_ {
  readonly shape: readonly number[];
  readonly data: Float32Array | BigInt64Array;
}

export interface Expected {
  readonly name: string;
  readonly data: Float32Array;
  // CLIP's and CLAP's separate towers give raw projections, the whole model (and so the reference) unit vectors of this width.
  readonly normalizedWidth?: number;
  readonly atol: number;
  readonly rtol: number;
}

export interface Graph {
  readonly model: string;
  readonly file: string;
  readonly task: string;
  readonly bytes: Uint8Array;
  readonly freeDimensions: Readonly<Record<string, bigint>>;
  readonly inputs: readonly Input[];
  readonly expected: readonly Expected[];
}

// Runs embed_tokens.onnx: given by the caller, since this file has no engine.
export type Embed = (model: Uint8Array, inputs: readonly Input[]) => Promise<Array_>;

export const modelNames = (folder: string): string[] =>
  readdirSync(join(folder, 'models'), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
    .sort();

export function readSafetensors(file: string): Record<string, Array_> {
  const bytes = readFileSync(file);
  const headerBytes = Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.subarray(8, 8 + headerBytes).toString()) as Record<
    string,
    { dtype: string; shape: number[]; data_offsets: [number, number] }
  >;
  const arrays: Record<string, Array_> = {};
  for (const [name, entry] of Object.entries(header)) {
    if (name === '__metadata__') continue;
    const [begin, end] = entry.data_offsets;
    const buffer = Uint8Array.from(bytes.subarray(8 + headerBytes + begin, 8 + headerBytes + end)).buffer;
    if (entry.dtype === 'F32') arrays[name] = { shape: entry.shape, data: new Float32Array(buffer) };
    else if (entry.dtype === 'I64') arrays[name] = { shape: entry.shape, data: new BigInt64Array(buffer) };
    else throw new Error(`${file}: ${name} is ${entry.dtype}`);
  }
  return arrays;
}

export async function graphsOf(folder: string, model: string, embed: Embed): Promise<Graph[]> {
  const home = join(folder, 'models', model);
  const cases = JSON.parse(
    readFileSync(join(home, 'reference/cases.json'), 'utf8').replaceAll(/\bNaN\b/g, 'null'),
  ) as CaseFile;
  const arrays = readSafetensors(join(home, 'reference', cases.cases[0]!.file));
  const config = JSON.parse(readFileSync(join(home, 'config.json'), 'utf8')) as {
    readonly image_token_index?: number;
    readonly image_token_id?: number;
  };
  const graphs: Graph[] = [];
  for (const [file, signature] of Object.entries(cases.onnx)) {
    const maker = new InputMaker(
      home,
      signature.inputs,
      arrays,
      config.image_token_id ?? config.image_token_index,
      embed,
    );
    const made: [string, Array_][] = [];
    for (const [name, [, dims]] of Object.entries(signature.inputs)) made.push([name, await maker.make(name, dims)]);
    graphs.push({
      model,
      file,
      task: cases.task,
      bytes: readFileSync(join(home, 'onnx', file)),
      freeDimensions: dimensionsOf(signature.inputs, made),
      inputs: made.map(([name, array]) => inputOf(name, signature.inputs[name]![0], array)),
      expected: Object.keys(signature.outputs).flatMap((name) => expectedOf(name, arrays, cases, file)),
    });
  }
  return graphs;
}

const REFERENCE_NAMES: Readonly<Record<string, readonly string[]>> = {
  last_hidden_state: ['last_hidden_state', 'encoder_last_hidden_state', 'image_embeds'],
  image_features: ['image_features', 'image_features_packed'],
};

function expectedOf(name: string, arrays: Readonly<Record<string, Array_>>, cases: CaseFile, file: string): Expected[] {
  const { rtol, atol } = cases.tolerance.fp32;
  for (const reference of REFERENCE_NAMES[name] ?? [name]) {
    const array = arrays[`output.${reference}`];
    if (array === undefined || !(array.data instanceof Float32Array)) continue;
    const isTower = /^(clip|clap)$/.test(cases.name) && file !== 'model.onnx' && reference.endsWith('_embeds');
    return [
      {
        name,
        data: array.data,
        rtol,
        atol: atol[reference] ?? 1e-3,
        ...(isTower && { normalizedWidth: array.shape.at(-1)! }),
      },
    ];
  }
  return [];
}

function dimensionsOf(signature: Signature, made: readonly (readonly [string, Array_])[]): Record<string, bigint> {
  const sizes: Record<string, bigint> = {};
  for (const [name, array] of made) {
    signature[name]![1].forEach((dim, axis) => {
      if (typeof dim === 'string') sizes[dim] = BigInt(array.shape[axis]!);
    });
  }
  return sizes;
}

function inputOf(name: string, type: string, array: Array_): Input {
  if (type === 'tensor(bool)')
    return { name, datatype: DataType.BOOL, shape: array.shape, bytes: Uint8Array.from(array.data as Float32Array) };
  return {
    name,
    datatype: type === 'tensor(int64)' ? DataType.INT64 : DataType.FP32,
    shape: array.shape,
    bytes: new Uint8Array(array.data.buffer, array.data.byteOffset, array.data.byteLength),
  };
}

class InputMaker {
  constructor(
    private readonly home: string,
    private readonly signature: Signature,
    private readonly arrays: Readonly<Record<string, Array_>>,
    private readonly imageToken: number | undefined,
    private readonly embed: Embed,
  ) {}

  async make(name: string, dims: readonly Dim[]): Promise<Array_> {
    if (name.startsWith('past_key_values')) return this.#emptyCache(dims);
    switch (name) {
      case 'use_cache_branch':
        return { shape: [1], data: Float32Array.of(0) };
      case 'position_ids':
        return positions(await this.make('attention_mask', dims));
      case 'encoder_hidden_states':
        return this.#given(['output.encoder_last_hidden_state', 'output.image_embeds']);
      case 'encoder_attention_mask':
        return this.#given(['input.attention_mask']);
      case 'input_ids':
        return this.#given(
          'encoder_hidden_states' in this.signature
            ? ['input.decoder_input_ids', 'input.input_ids']
            : ['input.input_ids'],
        );
      case 'inputs_embeds':
        return this.#mergedEmbeddings();
      case 'attention_mask':
        return 'inputs_embeds' in this.signature
          ? ones((await this.#mergedEmbeddings()).shape.slice(0, 2))
          : this.#mask();
      case 'pixel_values': {
        const pixels = this.#given(['input.pixel_values']);
        // llava_next's vision graph takes the tiles of all images.
        return pixels.shape.length > dims.length ? { shape: pixels.shape.slice(1), data: pixels.data } : pixels;
      }
      default:
        return this.#given([`input.${name}`]);
    }
  }

  #mask(): Array_ {
    return (
      this.arrays['input.attention_mask'] ?? ones(this.#given(['input.input_ids', 'input.decoder_input_ids']).shape)
    );
  }

  #given(names: readonly string[]): Array_ {
    for (const name of names) {
      const array = this.arrays[name];
      if (array !== undefined) return array;
    }
    throw new Error(`${this.home}: no case has ${names.join(' or ')}`);
  }

  #emptyCache(dims: readonly Dim[]): Array_ {
    const shape = dims.map((dim, axis) =>
      typeof dim === 'number'
        ? dim
        : axis === 0
          ? this.#given(['input.input_ids', 'input.decoder_input_ids']).shape[0]!
          : 0,
    );
    return { shape, data: new Float32Array(0) };
  }

  // Token embeddings with the image's features in front (git) or in the place of the image tokens (llava).
  async #mergedEmbeddings(): Promise<Array_> {
    const ids = this.#given(['input.input_ids']);
    const inputs: Input[] = [inputOf('input_ids', 'tensor(int64)', ids)];
    const isGit = this.home.endsWith('/git');
    if (isGit) inputs.push(inputOf('position_ids', 'tensor(int64)', positions(ones(ids.shape))));
    const text = await this.embed(readFileSync(join(this.home, 'onnx/embed_tokens.onnx')), inputs);
    const image = this.#given(['output.image_features_packed', 'output.image_features']).data as Float32Array;
    const [batch, tokens, width] = text.shape as [number, number, number];
    if (isGit) {
      const front = image.length / (batch * width);
      return {
        shape: [batch, front + tokens, width],
        data: Float32Array.from([...image, ...(text.data as Float32Array)]),
      };
    }
    const data = (text.data as Float32Array).slice();
    let taken = 0;
    ids.data.forEach((id, token) => {
      if (Number(id) !== this.imageToken) return;
      data.set(image.subarray(taken, taken + width), token * width);
      taken += width;
    });
    if (taken !== image.length)
      throw new Error(`${this.home}: ${taken / width} image tokens for ${image.length / width} features`);
    return { shape: text.shape, data };
  }
}

function ones(shape: readonly number[]): Array_ {
  return { shape, data: new BigInt64Array(shape.reduce((product, size) => product * size, 1)).fill(1n) };
}

function positions(mask: Array_): Array_ {
  const length = mask.shape.at(-1)!;
  const data = new BigInt64Array(mask.data.length);
  for (let start = 0; start < data.length; start += length) {
    let count = 0n;
    for (let at = start; at < start + length; at++) {
      count += BigInt(mask.data[at]!);
      data[at] = count > 0n ? count - 1n : 0n;
    }
  }
  return { shape: mask.shape, data };
}
