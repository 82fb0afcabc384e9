// Server-sent events as they come, in pieces that end anywhere.

/** The `data` of each event that is complete; the rest is kept for the next piece. */
export class EventReader {
  #text = '';
  #decoder = new TextDecoder();

  read(bytes: Uint8Array): string[] {
    this.#text += this.#decoder.decode(bytes, { stream: true });
    const events = this.#text.split('\n\n');
    this.#text = events.pop() ?? '';
    return events
      .map((event) =>
        event
          .split('\n')
          .filter((line) => line.startsWith('data:'))
          .map((line) => line.slice(5).replace(/^ /, ''))
          .join('\n'),
      )
      .filter((data) => data !== '');
  }
}
