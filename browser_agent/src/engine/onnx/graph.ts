// The operators of an ONNX file, read straight from its protobuf bytes, subgraphs included: ModelProto.graph (7) >
// GraphProto.node (1) > NodeProto {name 3, op_type 4, attribute 5 > AttributeProto.g 6}. Pure, bounded by the bytes;
// stops quietly at what it cannot read, since the runtime has already accepted the file.
import type { Node } from './placement';

const MAX_DEPTH = 8;

interface Field {
  readonly number: number;
  readonly bytes: Uint8Array;
}

function* fieldsOf(bytes: Uint8Array): Generator<Field> {
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      const byte = bytes[at++];
      if (byte === undefined) return NaN;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    return NaN;
  };
  while (at < bytes.byteLength) {
    const key = varint();
    const number = Math.floor(key / 8);
    let length = 0;
    switch (key % 8) {
      case 0:
        varint();
        continue;
      case 1:
        length = 8;
        break;
      case 2:
        length = varint();
        break;
      case 5:
        length = 4;
        break;
      default:
        return;
    }
    if (!(at + length <= bytes.byteLength)) return;
    yield { number, bytes: bytes.subarray(at, at + length) };
    at += length;
  }
}

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes.slice());

function* nodesOf(graph: Uint8Array, depth: number): Generator<Node> {
  if (depth > MAX_DEPTH) return;
  for (const field of fieldsOf(graph)) {
    if (field.number !== 1) continue;
    let name = '';
    let operator = '';
    for (const part of fieldsOf(field.bytes)) {
      if (part.number === 3) name = text(part.bytes);
      if (part.number === 4) operator = text(part.bytes);
      if (part.number === 5) {
        for (const attribute of fieldsOf(part.bytes))
          if (attribute.number === 6) yield* nodesOf(attribute.bytes, depth + 1);
      }
    }
    yield { operator, name };
  }
}

export function nodesOfModel(model: Uint8Array): Node[] {
  const nodes: Node[] = [];
  for (const field of fieldsOf(model)) if (field.number === 7) nodes.push(...nodesOf(field.bytes, 0));
  return nodes;
}
