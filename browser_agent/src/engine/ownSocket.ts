// The engine worker's own connection to the server: without it each run and each answer wakes the link worker on its way, in
// caches that the last run has emptied. What came on it is void when it breaks: the server gives it out again.
import { create } from '@bufbuild/protobuf';
import { AttachSchema, EnvelopeSchema } from '../generated/shoal/agent/v1/agent_pb';
import { encodeFrame, SUBPROTOCOL } from '../protocol/frame';
import type { Attachment, Backend } from './messages';

// Chromium takes 64 KiB at once. The rest of a larger message would wait until the engine does not compute.
export const MAX_ANSWER_BYTES = 60 * 1024;
const BROKEN = 1006;

export interface OwnSocketEvents {
  // `number` is that of the attachment.
  message(bytes: Uint8Array<ArrayBuffer>, number: number): void;
  // Broke; what was under way on it may be lost.
  cut(number: number): void;
}

export class OwnSocket {
  #socket: WebSocket | undefined;
  #number = 0;

  constructor(
    private readonly backend: Backend,
    private readonly events: OwnSocketEvents,
  ) {}

  // Leaves the connection that there was.
  attach(attachment: Attachment | undefined): void {
    const left = this.#socket;
    this.#socket = undefined;
    left?.close();
    if (attachment === undefined) return;
    const { number, slot, token } = attachment;
    const socket = new WebSocket(new URL('ws', location.href).href.replace(/^http/, 'ws'), SUBPROTOCOL);
    socket.binaryType = 'arraybuffer';
    const value = create(AttachSchema, { slot, token, backend: this.backend });
    let wasOpen = false;
    socket.onopen = () => {
      wasOpen = true;
      socket.send(encodeFrame(create(EnvelopeSchema, { body: { case: 'attach', value } })));
    };
    socket.onmessage = ({ data }: MessageEvent<ArrayBuffer>) => {
      if (this.#socket === socket) this.events.message(new Uint8Array(data), number);
    };
    socket.onclose = ({ code }) => {
      if (this.#socket !== socket) return;
      this.#socket = undefined;
      if (code === BROKEN && wasOpen) this.events.cut(number);
    };
    this.#socket = socket;
    this.#number = number;
  }

  // The number of the attachment that has taken the answer; undefined: it must go another way.
  send(frames: readonly Uint8Array<ArrayBuffer>[]): number | undefined {
    const [frame] = frames;
    if (this.#socket?.readyState !== WebSocket.OPEN || frames.length !== 1 || frame === undefined) return undefined;
    if (frame.byteLength > MAX_ANSWER_BYTES) return undefined;
    this.#socket.send(frame);
    return this.#number;
  }
}
